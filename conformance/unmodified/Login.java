import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.URI;
import java.net.URL;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/** A login with one of Java's two clients, with or without the proxy of the system's properties. */
public class Login {
    /** What came of a request. */
    record Answer(String location, String body) {}

    interface Client {
        Answer get(String url) throws IOException, InterruptedException;
    }

    static Client httpClient(boolean direct) {
        HttpClient.Builder builder = HttpClient.newBuilder();
        HttpClient client = (direct ? builder.proxy(ProxySelector.of(null)) : builder).build();
        return url -> {
            HttpResponse<String> answer = client.send(HttpRequest.newBuilder(URI.create(url)).build(),
                HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
            return new Answer(answer.headers().firstValue("location").orElse(""), answer.body());
        };
    }

    static Client urlConnection(boolean direct) {
        return url -> {
            URL target = new URL(url);
            HttpURLConnection connection = (HttpURLConnection)
                (direct ? target.openConnection(Proxy.NO_PROXY) : target.openConnection());
            connection.setInstanceFollowRedirects(false);
            try (InputStream body = connection.getInputStream()) {
                String location = connection.getHeaderField("location");
                return new Answer(location == null ? "" : location, new String(body.readAllBytes(), StandardCharsets.UTF_8));
            }
        };
    }

    static String url(String base, Map<String, String> params) {
        StringBuilder url = new StringBuilder(base);
        for (Map.Entry<String, String> param : params.entrySet()) {
            url.append(url.length() == base.length() ? '?' : '&').append(param.getKey()).append('=')
                .append(URLEncoder.encode(param.getValue(), StandardCharsets.UTF_8));
        }
        return url.toString();
    }

    static String match(String pattern, String text) {
        Matcher found = Pattern.compile(pattern).matcher(text);
        if (!found.find()) throw new IllegalStateException("no " + pattern + " in " + text);
        return found.group(1);
    }

    static String field(String name, String json) {
        return match("\"" + name + "\":\"([^\"]*)\"", json);
    }

    static String other(Client client, String url) throws Exception {
        try {
            return client.get(url).body();
        } catch (SSLException problem) {
            if (!problem.toString().contains("PKIX")) throw problem;
            return "refused";
        }
    }

    public static void main(String[] words) throws Exception {
        boolean direct = words.length > 1 && words[1].equals("direct");
        Client client = words[0].equals("HttpClient") ? httpClient(direct) : urlConnection(direct);
        String appid = System.getenv("APPID");
        String back = client.get(url("https://open.weixin.qq.com/connect/qrconnect", new TreeMap<>(Map.of(
            "appid", appid, "redirect_uri", System.getenv("REDIRECT"), "response_type", "code",
            "scope", "snsapi_login", "state", "from-java")))).location();
        String tokens = client.get(url("https://api.weixin.qq.com/sns/oauth2/access_token", new TreeMap<>(Map.of(
            "appid", appid, "secret", System.getenv("SECRET"), "code", match("[?&]code=([^&]*)", back),
            "grant_type", "authorization_code")))).body();
        String user = client.get(url("https://api.weixin.qq.com/sns/userinfo", new TreeMap<>(Map.of(
            "access_token", field("access_token", tokens), "openid", field("openid", tokens))))).body();
        String line = String.format("{\"nickname\":\"%s\",\"openid\":\"%s\",\"state\":\"%s\",\"trusted\":\"%s\",\"untrusted\":\"%s\"}%n",
            field("nickname", user), field("openid", tokens), match("[?&]state=([^&]*)", back),
            other(client, System.getenv("TRUSTED")), other(client, System.getenv("UNTRUSTED")));
        System.out.write(line.getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }
}
