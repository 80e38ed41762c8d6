// go run kahao.go PICTURE: reads a card, once with each kind of credentials. Go 1.19 or later, nothing to install.
// KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY and KAHAO_APP_SECRET come from the environment.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const path = "/api/bank_card_ocr/v1"

func md5Signature(key, secret, timestamp string) string {
	sum := md5.Sum([]byte(key + "&" + timestamp + "&" + secret))
	return hex.EncodeToString(sum[:])
}

func hmacSignature(secret, method, path, timestamp, nonce string, body []byte) string {
	sum := sha256.Sum256(body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join([]string{method, path, timestamp, nonce, hex.EncodeToString(sum[:])}, "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}

// post gives the answer; a refusal has the same form, with its reason in msg.
func post(body []byte, headers map[string]string) (string, error) {
	request, err := http.NewRequest(http.MethodPost, os.Getenv("KAHAO_URL")+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return string(answer), err
}

func main() {
	args := os.Args[1:]
	if args[0] == "--sign" { // KEY SECRET TIMESTAMP METHOD PATH NONCE BODY: for signature-vectors.json
		fmt.Println(md5Signature(args[1], args[2], args[3]))
		fmt.Println(hmacSignature(args[2], args[4], args[5], args[3], args[6], []byte(args[7])))
		return
	}

	picture, err := os.ReadFile(args[0])
	if err != nil {
		log.Fatal(err)
	}
	// A list of bytes becomes base64 in Go's JSON.
	body, err := json.Marshal(map[string][]byte{"image_base64": picture})
	if err != nil {
		log.Fatal(err)
	}
	key, secret := os.Getenv("KAHAO_APP_KEY"), os.Getenv("KAHAO_APP_SECRET")
	timestamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		log.Fatal(err)
	}
	nonce := hex.EncodeToString(random)

	for _, headers := range []map[string]string{
		{"Authorization": "APPCODE " + os.Getenv("KAHAO_APPCODE")},
		{"x-ca-key": key, "x-ca-timestamp": timestamp, "x-ca-signature": md5Signature(key, secret, timestamp)},
		{
			"x-ca-key": key, "x-ca-timestamp": timestamp,
			"x-ca-signature-method": "HmacSHA256", "x-ca-nonce": nonce,
			"x-ca-signature": hmacSignature(secret, http.MethodPost, path, timestamp, nonce, body),
		},
	} {
		answer, err := post(body, headers)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer)
	}
}
