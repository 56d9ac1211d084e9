//! Addresses as they may stand in the settings.

/// The host of `host[:port]`; `None` when browsers would read it as something else.
pub(super) fn host_of(authority: &str) -> Option<&str> {
    let end = match authority.find(']') {
        Some(end) => end + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let port_is_sound = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| digits(port) && port.parse::<u16>().is_ok());
    let host_is_sound = match host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let label = |label: &str| {
                !label.is_empty()
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            };
            // What ends in a number is an IPv4 address to browsers, or nothing.
            let last = host.rsplit('.').next().unwrap_or_default();
            let is_number = last.starts_with(|c: char| c.is_ascii_digit())
                && (digits(last) || last.starts_with("0x") || last.starts_with("0X"));
            host.split('.').all(label) && (!is_number || host.parse::<std::net::Ipv4Addr>().is_ok())
        }
    };
    (host_is_sound && port_is_sound).then_some(host)
}

/// Whether a host is this machine.
pub(super) fn is_here(host: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].contains(&host)
}

/// An address that was taken apart.
pub(super) struct Parts<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    /// What follows host and port; empty for an origin.
    pub(super) path: &'a str,
}

/// Takes an address apart; `None` when it is none.
pub(super) fn parts(url: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let plain = url.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let host = host_of(authority)?;
    (["http", "https"].contains(&scheme) && plain).then_some(Parts { scheme, host, path })
}

/// What is wrong with the public address of a server, if anything: codes and sessions must not
/// cross a network in clear, so it is https, or plain http for this machine alone.
pub(super) fn public_fault(url: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some("must begin with https://");
    };
    let host = host_of(rest);
    match scheme {
        _ if host.is_none() => Some("must be scheme, host and maybe port, without a path"),
        "https" => None,
        "http" if host.is_some_and(is_here) => None,
        "http" => Some("must be https: codes and sessions would cross the network in clear"),
        _ => Some("must begin with https://"),
    }
}

/// The origin of an address as browsers write it, when the text is nothing but an origin.
pub(super) fn origin(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let parts = parts(text)?;
    let default = if parts.scheme == "https" {
        ":443"
    } else {
        ":80"
    };
    let origin = text.strip_suffix(default).unwrap_or(text);
    parts.path.is_empty().then(|| origin.to_ascii_lowercase())
}
