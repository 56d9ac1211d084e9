import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Started by `yufu run -- …`: the hosts below are the platform's own, and the sandbox answers. */
class LoginTest {
    static final String SANDBOX = System.getenv("YUFU_SANDBOX") + "/_sandbox";
    static final String TOKEN = System.getenv("YUFU_SANDBOX_TOKEN");
    static final String APPID = "wx3b9ac0d5e8f14627", SECRET = "098f6bcd4621d373cade4e832627b4f6";
    final HttpClient http = HttpClient.newHttpClient();

    /** Tells the sandbox something; answers its JSON. */
    String call(String path, String json) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(SANDBOX + path))
                .header("Authorization", "Bearer " + TOKEN)
                .POST(HttpRequest.BodyPublishers.ofString(json)).build();
        var answer = http.send(request, BodyHandlers.ofString());
        assertEquals(200, answer.statusCode(), answer.body());
        return answer.body();
    }

    String get(String url) throws Exception {
        return http.send(HttpRequest.newBuilder(URI.create(url)).build(), BodyHandlers.ofString()).body();
    }

    static String field(String json, String name) {
        var found = Pattern.compile('"' + name + "\":\"([^\"]*)\"").matcher(json);
        assertTrue(found.find(), json);
        return found.group(1);
    }

    @Test
    void aPersonLogsIn() throws Exception {
        call("/clients", "{\"appid\":\"%s\",\"secret\":\"%s\",\"name\":\"Java\",\"kind\":\"website\",\"redirects\":[\"www.example.com\"]}"
                .formatted(APPID, SECRET));
        var url = "https://open.weixin.qq.com/connect/qrconnect?appid=" + APPID
                + "&redirect_uri=https%3A%2F%2Fwww.example.com%2Fcallback&response_type=code&scope=snsapi_login&state=s1#wechat_redirect";
        var code = field(call("/authorize", "{\"url\":\"" + url + "\",\"person\":\"mei\"}"), "code");
        var token = get("https://api.weixin.qq.com/sns/oauth2/access_token?appid=" + APPID + "&secret=" + SECRET
                + "&code=" + code + "&grant_type=authorization_code");
        var user = get("https://api.weixin.qq.com/sns/userinfo?access_token=" + field(token, "access_token")
                + "&openid=" + field(token, "openid"));
        assertTrue(field(user, "nickname").contains("梅"), user);
    }
}
