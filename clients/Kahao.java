// java Kahao.java PICTURE: reads a card, once with each kind of credentials. Java 17 or later, nothing to install.
// KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY and KAHAO_APP_SECRET come from the environment.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Kahao {
    static final String PATH = "/api/bank_card_ocr/v1";

    static String digest(String algorithm, byte[] bytes) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(bytes));
    }

    static String md5Signature(String key, String secret, String timestamp) throws GeneralSecurityException {
        return digest("MD5", (key + "&" + timestamp + "&" + secret).getBytes(UTF_8));
    }

    static String hmacSignature(String secret, String method, String path, String timestamp, String nonce, byte[] body)
            throws GeneralSecurityException {
        String signed = String.join("\n", method, path, timestamp, nonce, digest("SHA-256", body));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret.getBytes(UTF_8), "HmacSHA256"));
        return HexFormat.of().formatHex(mac.doFinal(signed.getBytes(UTF_8)));
    }

    /** Headers are names and values in turn. A refusal has the same form as an answer, with its reason in msg. */
    static String post(byte[] body, String... headers) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("KAHAO_URL") + PATH))
                .header("Content-Type", "application/json")
                .headers(headers)
                .timeout(Duration.ofSeconds(30))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                .build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("--sign")) { // KEY SECRET TIMESTAMP METHOD PATH NONCE BODY: for signature-vectors.json
            System.out.println(md5Signature(args[1], args[2], args[3]));
            System.out.println(hmacSignature(args[2], args[4], args[5], args[3], args[6], args[7].getBytes(UTF_8)));
            return;
        }

        String picture = Base64.getEncoder().encodeToString(Files.readAllBytes(Path.of(args[0])));
        byte[] body = ("{\"image_base64\":\"" + picture + "\"}").getBytes(UTF_8);
        String key = System.getenv("KAHAO_APP_KEY");
        String secret = System.getenv("KAHAO_APP_SECRET");
        String timestamp = String.valueOf(System.currentTimeMillis());
        String nonce = UUID.randomUUID().toString();

        System.out.println(post(body, "Authorization", "APPCODE " + System.getenv("KAHAO_APPCODE")));
        System.out.println(post(body, "x-ca-key", key, "x-ca-timestamp", timestamp,
                "x-ca-signature", md5Signature(key, secret, timestamp)));
        System.out.println(post(body, "x-ca-key", key, "x-ca-timestamp", timestamp,
                "x-ca-signature-method", "HmacSHA256", "x-ca-nonce", nonce,
                "x-ca-signature", hmacSignature(secret, "POST", PATH, timestamp, nonce, body)));
    }
}
