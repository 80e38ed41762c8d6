<?php
// php kahao.php PICTURE: reads a card, once with each kind of credentials. PHP 7.4 or later with curl.
// KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY and KAHAO_APP_SECRET come from the environment.

const PATH = '/api/bank_card_ocr/v1';

function md5_signature(string $key, string $secret, string $timestamp): string
{
    return md5("$key&$timestamp&$secret");
}

function hmac_signature(string $secret, string $method, string $path, string $timestamp, string $nonce, string $body): string
{
    $lines = [$method, $path, $timestamp, $nonce, hash('sha256', $body)];
    return hash_hmac('sha256', implode("\n", $lines), $secret);
}

function post(string $body, array $headers): string
{
    $curl = curl_init(getenv('KAHAO_URL') . PATH);
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_HTTPHEADER => ['Content-Type: application/json', ...$headers],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 30,
    ]);
    $answer = curl_exec($curl); // a refusal has the same form, with its reason in msg
    if ($answer === false) {
        fwrite(STDERR, curl_error($curl) . "\n");
        exit(1);
    }
    return $answer;
}

if ($argv[1] === '--sign') { // KEY SECRET TIMESTAMP METHOD PATH NONCE BODY: for signature-vectors.json
    [, , $key, $secret, $timestamp, $method, $path, $nonce, $body] = $argv;
    echo md5_signature($key, $secret, $timestamp), "\n";
    echo hmac_signature($secret, $method, $path, $timestamp, $nonce, $body), "\n";
    exit;
}

$body = json_encode(['image_base64' => base64_encode(file_get_contents($argv[1]))]);
$key = getenv('KAHAO_APP_KEY');
$secret = getenv('KAHAO_APP_SECRET');
$timestamp = (string) (int) (microtime(true) * 1000);
$nonce = bin2hex(random_bytes(16));
$signed = ["x-ca-key: $key", "x-ca-timestamp: $timestamp"];

echo post($body, ['Authorization: APPCODE ' . getenv('KAHAO_APPCODE')]), "\n";
echo post($body, [...$signed, 'x-ca-signature: ' . md5_signature($key, $secret, $timestamp)]), "\n";
echo post($body, [
    ...$signed,
    'x-ca-signature-method: HmacSHA256',
    "x-ca-nonce: $nonce",
    'x-ca-signature: ' . hmac_signature($secret, 'POST', PATH, $timestamp, $nonce, $body),
]), "\n";
