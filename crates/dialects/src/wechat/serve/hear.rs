//! Reading requests (`docs/facts/wechat.md` §2–§7). A parameter that is empty is missing, one
//! that is unknown is ignored, and one that cannot be decoded is a value that nobody has.

use yufu_core::client::Platform;
use yufu_core::id::ClientId;
use yufu_core::message::{
    AccessRequest, AuthorizeRequest, Challenge, Channel, NativeApp, PollRequest, PollState,
    ScanSignature, TokenGrant, TokenRequest,
};
use yufu_core::refusal::Refusal;
use yufu_core::scope::Scopes;
use yufu_core::secret::Secret;

use crate::http::{Params, Request};

/// Stands for a value that could not be decoded: no client, code or token is called so.
const UNREADABLE: &str = "\u{fffd}";
/// The most bytes of a scan's public name that are looked up.
const MAX_UUID_BYTES: usize = 64;

/// A parameter that must be there, or the refusal that names it.
fn need<'a>(params: &'a Params, name: &str, missing: Refusal) -> Result<&'a str, Refusal> {
    if params.is_malformed(name) {
        return Ok(UNREADABLE);
    }
    params.filled(name).ok_or(missing)
}

/// The client's name; one that is longer than any is unknown without a look.
fn client(appid: &str) -> Result<ClientId, Refusal> {
    if appid.len() > ClientId::MAX_BYTES {
        return Err(Refusal::UnknownClient);
    }
    Ok(ClientId::new(appid))
}

/// What the doors have in common. `code` must be asked for where `response_type` is needed.
fn authorize(
    params: &Params,
    channel: Channel,
    redirect: Option<&str>,
) -> Result<AuthorizeRequest, Refusal> {
    let appid = need(params, "appid", Refusal::MissingClientId)?;
    let response_type = match (&channel, params.filled("response_type")) {
        _ if params.is_malformed("response_type") => return Err(Refusal::ResponseTypeUnsupported),
        // §4.3: the login script of web pages sends none.
        (Channel::Scan, None) if params.get("login_type") == Some("jssdk") => None,
        (Channel::InClient | Channel::Scan, None) => {
            return Err(Refusal::ResponseTypeUnsupported);
        }
        (_, given) => given,
    };
    let scopes = need(params, "scope", Refusal::MissingScope)?;
    let scopes = Scopes::parse(scopes.trim(), ',').ok_or(Refusal::ScopeUnknown)?;
    if scopes.is_empty() {
        return Err(Refusal::MissingScope);
    }
    if params.is_malformed("state") {
        return Err(Refusal::Malformed("state"));
    }
    Ok(AuthorizeRequest {
        client: client(appid)?,
        redirect: redirect.map(str::to_owned),
        response_type: response_type.map(str::to_owned),
        scopes,
        state: params.get("state").map(str::to_owned),
        challenge: challenge(params)?,
        channel,
        force_consent: false,
    })
}

/// A challenge that was sent must be usable: it is enforced later (RFC 7636 §4.6).
fn challenge(params: &Params) -> Result<Option<Challenge>, Refusal> {
    if params.is_malformed("code_challenge") {
        return Err(Refusal::ChallengeMalformed);
    }
    let Some(challenge) = params.filled("code_challenge") else {
        return Ok(None);
    };
    Challenge::parse(challenge, params.get("code_challenge_method"))
        .map(Some)
        .ok_or(Refusal::ChallengeMalformed)
}

/// The address to return to. Whose it is, the client's rules say.
fn redirect(params: &Params) -> Result<&str, Refusal> {
    if params.is_malformed("redirect_uri") {
        return Err(Refusal::RedirectMalformed);
    }
    params
        .filled("redirect_uri")
        .ok_or(Refusal::MissingRedirect)
}

/// `GET /connect/oauth2/authorize` (§3).
pub(super) fn in_client(request: &Request) -> Result<AuthorizeRequest, Refusal> {
    let params = request.params();
    need(&params, "appid", Refusal::MissingClientId)?;
    let redirect = redirect(&params)?;
    let asked = authorize(&params, Channel::InClient, Some(redirect))?;
    Ok(AuthorizeRequest {
        force_consent: params.get("forcePopup") == Some("true"),
        ..asked
    })
}

/// `GET /connect/qrconnect` (§4.1).
pub(super) fn scan(request: &Request) -> Result<AuthorizeRequest, Refusal> {
    let params = request.params();
    need(&params, "appid", Refusal::MissingClientId)?;
    let redirect = redirect(&params)?;
    authorize(&params, Channel::Scan, Some(redirect))
}

/// `GET /connect/sdk/qrconnect` (§6).
pub(super) fn signed_scan(request: &Request) -> Result<AuthorizeRequest, Refusal> {
    let params = request.params();
    need(&params, "appid", Refusal::MissingClientId)?;
    need(&params, "scope", Refusal::MissingScope)?;
    let signed = ScanSignature {
        nonce: need(&params, "noncestr", Refusal::Malformed("noncestr"))?.to_owned(),
        timestamp: need(&params, "timestamp", Refusal::Malformed("timestamp"))?.to_owned(),
        signature: need(&params, "signature", Refusal::SignatureMismatch)?.to_owned(),
    };
    authorize(&params, Channel::SignedScan(signed), None)
}

/// `GET /connect/app/authorize` (§11.6): our own door for apps, with WeChat's names.
pub(super) fn native(request: &Request) -> Result<AuthorizeRequest, Refusal> {
    let params = request.params();
    need(&params, "appid", Refusal::MissingClientId)?;
    need(&params, "scope", Refusal::MissingScope)?;
    let platform = match params.get("platform") {
        Some("ios") => Platform::Ios,
        Some("android") => Platform::Android,
        Some("harmony") => Platform::Harmony,
        _ => return Err(Refusal::IdentityMismatch("platform")),
    };
    let bundle = need(&params, "bundle", Refusal::IdentityMismatch("bundle"))?;
    let signature = match need(&params, "signature", Refusal::IdentityMismatch("signature")) {
        // §11.3: iOS apps have no signature to show.
        Err(_) if platform == Platform::Ios => "",
        signature => signature?,
    };
    let app = NativeApp {
        platform,
        bundle: bundle.to_owned(),
        signature: signature.to_owned(),
    };
    authorize(&params, Channel::Native(app), None)
}

/// `GET /connect/l/qrconnect` (§4.2). A uuid that cannot be one is a scan that is over.
pub(super) fn poll(request: &Request) -> Result<PollRequest, Refusal> {
    let params = request.params();
    let uuid = need(&params, "uuid", Refusal::InteractionGone)?;
    if uuid.len() > MAX_UUID_BYTES {
        return Err(Refusal::InteractionGone);
    }
    Ok(PollRequest {
        uuid: Secret::new(uuid),
        last: match params.get("last") {
            Some("404") => Some(PollState::Scanned),
            Some("403") => Some(PollState::Cancelled),
            _ => None,
        },
    })
}

/// `/sns/oauth2/access_token` (§7.1), in the order of checks of §7.6.
pub(super) fn exchange(request: &Request) -> Result<TokenRequest, Refusal> {
    let params = request.params();
    let appid = need(&params, "appid", Refusal::MissingClientId)?;
    let secret = need(&params, "secret", Refusal::MissingSecret)?;
    let grant_type = params.filled("grant_type");
    // §7.2: one client refreshes here; whether it may is the client's setting.
    let grant = match (grant_type, params.filled("refresh_token")) {
        (Some("refresh_token"), Some(token)) => TokenGrant::Refresh {
            token: Secret::new(token),
            at_code_endpoint: true,
        },
        _ => TokenGrant::Code {
            code: Secret::new(need(&params, "code", Refusal::MissingCode)?),
            verifier: verifier(&params),
        },
    };
    if matches!(grant, TokenGrant::Code { .. }) && grant_type != Some("authorization_code") {
        return Err(Refusal::GrantTypeUnsupported);
    }
    Ok(TokenRequest {
        client: client(appid)?,
        secret: Some(Secret::new(secret)),
        grant,
    })
}

fn verifier(params: &Params) -> Option<Secret> {
    if params.is_malformed("code_verifier") {
        return Some(Secret::new(UNREADABLE));
    }
    params.filled("code_verifier").map(Secret::new)
}

/// `/sns/oauth2/refresh_token` (§7.2). It takes no secret; one that is sent is ignored.
pub(super) fn refresh(request: &Request) -> Result<TokenRequest, Refusal> {
    let params = request.params();
    let appid = need(&params, "appid", Refusal::MissingClientId)?;
    let token = need(&params, "refresh_token", Refusal::MissingRefresh)?;
    if params.filled("grant_type") != Some("refresh_token") {
        return Err(Refusal::GrantTypeUnsupported);
    }
    Ok(TokenRequest {
        client: client(appid)?,
        secret: None,
        grant: TokenGrant::Refresh {
            token: Secret::new(token),
            at_code_endpoint: false,
        },
    })
}

/// `/sns/jscode2session` (§7.5).
pub(super) fn mini(request: &Request) -> Result<TokenRequest, Refusal> {
    let params = request.params();
    let appid = need(&params, "appid", Refusal::MissingClientId)?;
    let secret = need(&params, "secret", Refusal::MissingSecret)?;
    let code = need(&params, "js_code", Refusal::MissingCode)?;
    if params.filled("grant_type") != Some("authorization_code") {
        return Err(Refusal::GrantTypeUnsupported);
    }
    Ok(TokenRequest {
        client: client(appid)?,
        secret: Some(Secret::new(secret)),
        grant: TokenGrant::Code {
            code: Secret::new(code),
            verifier: None,
        },
    })
}

/// `/cgi-bin/token` (§6).
pub(super) fn own_token(request: &Request) -> Result<TokenRequest, Refusal> {
    let params = request.params();
    let appid = need(&params, "appid", Refusal::MissingClientId)?;
    let secret = need(&params, "secret", Refusal::MissingSecret)?;
    if params.filled("grant_type") != Some("client_credential") {
        return Err(Refusal::GrantTypeUnsupported);
    }
    Ok(TokenRequest {
        client: client(appid)?,
        secret: Some(Secret::new(secret)),
        grant: TokenGrant::Client,
    })
}

/// `/cgi-bin/ticket/getticket` (§6): type 2 is the only ticket there is.
pub(super) fn platform_ticket(request: &Request) -> Result<Secret, Refusal> {
    let params = request.params();
    let access = need(&params, "access_token", Refusal::MissingAccess)?;
    if params.filled("type") != Some("2") {
        return Err(Refusal::Malformed("type"));
    }
    Ok(Secret::new(access))
}

/// `/sns/auth` and `/sns/userinfo` (§7.3, §7.4). `lang` changes nothing: places are told as
/// they were entered.
pub(super) fn access(request: &Request) -> Result<AccessRequest, Refusal> {
    let params = request.params();
    let access = need(&params, "access_token", Refusal::MissingAccess)?;
    let openid = need(&params, "openid", Refusal::MissingSubject)?;
    Ok(AccessRequest {
        access: Secret::new(access),
        openid: openid.to_owned(),
    })
}
