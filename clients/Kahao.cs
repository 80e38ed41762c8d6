// Kahao PICTURE: reads a card, once with each kind of credentials. .NET 6 or later, or Mono; nothing to install.
// KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY and KAHAO_APP_SECRET come from the environment.

using System;
using System.IO;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Tasks;

public static class Kahao
{
    const string Path = "/api/bank_card_ocr/v1";
    static readonly HttpClient Client = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };

    static string Setting(string name) => Environment.GetEnvironmentVariable(name);

    static string Hex(byte[] bytes) => BitConverter.ToString(bytes).Replace("-", "").ToLowerInvariant();

    static string Md5Signature(string key, string secret, string timestamp)
    {
        using (var md5 = MD5.Create())
            return Hex(md5.ComputeHash(Encoding.UTF8.GetBytes(key + "&" + timestamp + "&" + secret)));
    }

    static string HmacSignature(string secret, string method, string path, string timestamp, string nonce, byte[] body)
    {
        using (var sha256 = SHA256.Create())
        using (var hmac = new HMACSHA256(Encoding.UTF8.GetBytes(secret)))
        {
            var signed = string.Join("\n", method, path, timestamp, nonce, Hex(sha256.ComputeHash(body)));
            return Hex(hmac.ComputeHash(Encoding.UTF8.GetBytes(signed)));
        }
    }

    // Headers are names and values in turn. A refusal has the same form as an answer, with its reason in msg.
    static async Task<string> Post(byte[] body, params string[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, Setting("KAHAO_URL") + Path);
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        for (var i = 0; i < headers.Length; i += 2)
            request.Headers.TryAddWithoutValidation(headers[i], headers[i + 1]);
        var response = await Client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    static async Task Run(string[] args)
    {
        if (args[0] == "--sign") // KEY SECRET TIMESTAMP METHOD PATH NONCE BODY: for signature-vectors.json
        {
            Console.WriteLine(Md5Signature(args[1], args[2], args[3]));
            Console.WriteLine(HmacSignature(args[2], args[4], args[5], args[3], args[6], Encoding.UTF8.GetBytes(args[7])));
            return;
        }

        var picture = Convert.ToBase64String(File.ReadAllBytes(args[0]));
        var body = Encoding.UTF8.GetBytes("{\"image_base64\":\"" + picture + "\"}");
        string key = Setting("KAHAO_APP_KEY"), secret = Setting("KAHAO_APP_SECRET");
        var timestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds().ToString();
        var nonce = Guid.NewGuid().ToString();

        Console.WriteLine(await Post(body, "Authorization", "APPCODE " + Setting("KAHAO_APPCODE")));
        Console.WriteLine(await Post(body, "x-ca-key", key, "x-ca-timestamp", timestamp,
            "x-ca-signature", Md5Signature(key, secret, timestamp)));
        Console.WriteLine(await Post(body, "x-ca-key", key, "x-ca-timestamp", timestamp,
            "x-ca-signature-method", "HmacSHA256", "x-ca-nonce", nonce,
            "x-ca-signature", HmacSignature(secret, "POST", Path, timestamp, nonce, body)));
    }

    public static void Main(string[] args) => Run(args).GetAwaiter().GetResult();
}
