//! A login with WeChat as any Rust program would do it, with reqwest and the platform's own hosts:
//! one of the programs of `conformance/unmodified`, which nothing of yufu is linked into.

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    // The workspace's reqwest brings no cryptography of its own; others come with one built in.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let told = |name: &str| -> String {
        let mut all = std::env::vars();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value)
            .unwrap_or_default()
    };
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let (appid, secret) = (told("APPID"), told("SECRET"));
    let redirect = told("REDIRECT");
    let page = with(
        "https://open.weixin.qq.com/connect/qrconnect",
        &[
            ("appid", &appid),
            ("redirect_uri", &redirect),
            ("response_type", "code"),
            ("scope", "snsapi_login"),
            ("state", "from-reqwest"),
        ],
    )?;
    let page = client.get(page).send().await?;
    let location = page
        .headers()
        .get("location")
        .ok_or("the page did not send the browser back")?;
    let back = reqwest::Url::parse(location.to_str()?)?;
    let param = |name: &str| {
        let mut pairs = back.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let tokens = json(
        &client,
        "https://api.weixin.qq.com/sns/oauth2/access_token",
        &[
            ("appid", &appid),
            ("secret", &secret),
            ("code", &param("code")),
            ("grant_type", "authorization_code"),
        ],
    )
    .await?;
    let text = |key: &str| tokens[key].as_str().unwrap_or_default();
    let user = json(
        &client,
        "https://api.weixin.qq.com/sns/userinfo",
        &[
            ("access_token", text("access_token")),
            ("openid", text("openid")),
        ],
    )
    .await?;
    let said = serde_json::json!({
        "nickname": user["nickname"], "openid": tokens["openid"], "state": param("state"),
        "trusted": other(&client, &told("TRUSTED")).await?,
        "untrusted": other(&client, &told("UNTRUSTED")).await?,
    });
    println!("{said}");
    Ok(())
}

fn with(url: &str, params: &[(&str, &str)]) -> Result<reqwest::Url, Failure> {
    let mut url = reqwest::Url::parse(url)?;
    url.query_pairs_mut().extend_pairs(params);
    Ok(url)
}

async fn json(
    client: &reqwest::Client,
    url: &str,
    params: &[(&str, &str)],
) -> Result<Value, Failure> {
    let answer = client.get(with(url, params)?).send().await?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

async fn other(client: &reqwest::Client, url: &str) -> Result<String, Failure> {
    match client.get(url).send().await {
        Ok(answer) => Ok(answer.text().await?),
        Err(error) if format!("{error:?}").contains("InvalidCertificate") => {
            Ok("refused".to_owned())
        }
        Err(error) => Err(error.into()),
    }
}
