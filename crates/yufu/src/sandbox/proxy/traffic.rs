//! What came by the proxy and the gate: counted, so that somebody whose program never arrives can
//! be told why.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use yufu_core::time::Timestamp;
use yufu_web::clock;

use crate::sandbox::authority::HOSTS;

/// How many of the last events are kept.
const KEPT: usize = 64;

/// Counts since the start. Nothing waits for it.
#[derive(Default)]
pub struct Traffic {
    counts: Counts,
    events: Mutex<Events>,
}

/// Every count, as something that is added to or as a number.
#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    gate: AtomicU64,
    tunnels: AtomicU64,
    others: AtomicU64,
    handshakes: AtomicU64,
    failures: AtomicU64,
    silent: AtomicU64,
    forwarded: AtomicU64,
    requests: [AtomicU64; HOSTS.len()],
}

#[derive(Default)]
struct Events {
    next: u64,
    last: VecDeque<(u64, Event)>,
}

/// Something that happened, other than a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Event {
    /// When, in real time.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// The host that it was about, with its port where it is not one of the platform's names; empty
    /// when none was named.
    pub host: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A tunnel to one of the platform's names was opened: we answer in it.
    Tunnel,
    /// A tunnel to another host was opened, or a request forwarded there.
    Other,
    /// Another host was not reached.
    Unreached,
    /// A handshake under one of the platform's names failed.
    Failed {
        /// Why.
        why: HandshakeFault,
    },
    /// A handshake under one of the platform's names went well, and then the caller left without a
    /// request. So do some browsers when they do not trust the certificate, and others who only
    /// wanted to be quick later.
    Silent,
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeFault {
    /// The caller does not trust our certificate.
    Untrusted,
    /// The caller says that our certificate is too old, or not good yet.
    Expired,
    /// The caller named no host, or one that is not the platform's.
    Nameless,
    /// What was said was no TLS.
    NotTls,
    /// The caller went away before it had seen our certificate.
    Gone,
    /// The caller went away when it had seen our certificate. It gave no reason, but there is hardly
    /// another than that it does not trust us: so do Node and Java.
    Left,
    /// The caller said nothing for too long.
    Slow,
    /// Something else: versions, ciphers, protocols.
    Other,
}

/// Where counting begins.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    sum: TrafficSum,
    next: u64,
}

/// What happened since a mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TrafficSum {
    /// Connections that the proxy took.
    pub connections: u64,
    /// Connections that the gate took.
    pub gate: u64,
    /// Tunnels to the platform's names.
    pub tunnels: u64,
    /// Tunnels to other hosts.
    pub others: u64,
    /// Requests to other hosts that were forwarded, tunnels aside.
    pub forwarded: u64,
    /// Handshakes under the platform's names that went well.
    pub handshakes: u64,
    /// Handshakes under the platform's names that did not.
    pub failures: u64,
    /// Connections under the platform's names that ended after the handshake without a request.
    pub silent: u64,
    /// Requests under the platform's names, each as often as it came; names without any are left out.
    pub requests: Vec<(&'static str, u64)>,
    /// The last events, oldest first.
    pub events: Vec<Event>,
}

impl TrafficSum {
    /// All requests under the platform's names.
    pub fn arrived(&self) -> u64 {
        self.requests.iter().map(|(_, count)| count).sum()
    }

    /// The last handshake that failed, and whom it was for.
    pub fn last_failure(&self) -> Option<(&str, HandshakeFault)> {
        self.events.iter().rev().find_map(|event| match event.what {
            What::Failed { why } => Some((event.host.as_str(), why)),
            _ => None,
        })
    }

    /// Whether the platform's certificate was refused: told so, or left at once after seeing it, and
    /// nothing ever arrived.
    pub fn is_distrusted(&self) -> bool {
        let failed = |why| {
            let what = What::Failed { why };
            self.events.iter().any(|event| event.what == what)
        };
        let left = self.silent > 0 || failed(HandshakeFault::Left);
        failed(HandshakeFault::Untrusted) || (left && self.arrived() == 0)
    }

    /// The last other host that was called through the proxy.
    pub fn last_other(&self) -> Option<&str> {
        let others = [What::Other, What::Unreached];
        let mut last = self.events.iter().rev();
        last.find(|event| others.contains(&event.what))
            .map(|event| event.host.as_str())
    }
}

impl Traffic {
    /// From here on.
    pub fn mark(&self) -> Mark {
        Mark {
            next: self.events().next,
            sum: self.sum(),
        }
    }

    /// What happened since then.
    pub fn since(&self, mark: &Mark) -> TrafficSum {
        let (now, then) = (self.sum(), &mark.sum);
        let before = |at: usize| then.requests.get(at).map_or(0, |(_, count)| *count);
        let requests = now.requests.iter().enumerate();
        let requests = requests.map(|(at, (host, count))| (*host, count - before(at)));
        let events = self.events();
        let events = events.last.iter().filter(|(seq, _)| *seq >= mark.next);
        TrafficSum {
            connections: now.connections - then.connections,
            gate: now.gate - then.gate,
            tunnels: now.tunnels - then.tunnels,
            others: now.others - then.others,
            forwarded: now.forwarded - then.forwarded,
            handshakes: now.handshakes - then.handshakes,
            failures: now.failures - then.failures,
            silent: now.silent - then.silent,
            requests: requests.filter(|(_, count)| *count > 0).collect(),
            events: events.map(|(_, event)| event.clone()).collect(),
        }
    }

    /// Every count from the start, names without requests included.
    fn sum(&self) -> TrafficSum {
        let counts = &self.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let requests = HOSTS.into_iter().zip(&counts.requests);
        TrafficSum {
            connections: read(&counts.connections),
            gate: read(&counts.gate),
            tunnels: read(&counts.tunnels),
            others: read(&counts.others),
            forwarded: read(&counts.forwarded),
            handshakes: read(&counts.handshakes),
            failures: read(&counts.failures),
            silent: read(&counts.silent),
            requests: requests.map(|(host, count)| (host, read(count))).collect(),
            events: Vec::new(),
        }
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happened(&self, what: What, host: &str) {
        // Some put a name and a password before the host.
        let host = host.rsplit('@').next().unwrap_or_default();
        let event = Event {
            at: clock::real(),
            what,
            host: host.to_owned(),
        };
        let mut events = self.events();
        let seq = events.next;
        events.next += 1;
        if events.last.len() == KEPT {
            events.last.pop_front();
        }
        events.last.push_back((seq, event));
    }

    pub(super) fn connected(&self, by_gate: bool) {
        add(match by_gate {
            true => &self.counts.gate,
            false => &self.counts.connections,
        });
    }

    pub(super) fn tunnelled(&self, host: &str) {
        add(&self.counts.tunnels);
        self.happened(What::Tunnel, host);
    }

    pub(super) fn tunnelled_elsewhere(&self, host: &str) {
        add(&self.counts.others);
        self.happened(What::Other, host);
    }

    pub(super) fn forwarded(&self, host: &str) {
        add(&self.counts.forwarded);
        self.happened(What::Other, host);
    }

    pub(super) fn unreached(&self, host: &str) {
        self.happened(What::Unreached, host);
    }

    pub(super) fn shaken(&self) {
        add(&self.counts.handshakes);
    }

    pub(super) fn failed(&self, host: &str, why: HandshakeFault) {
        add(&self.counts.failures);
        self.happened(What::Failed { why }, host);
    }

    pub(super) fn left(&self, host: &str) {
        add(&self.counts.silent);
        self.happened(What::Silent, host);
    }

    pub(super) fn asked(&self, host: &'static str) {
        let position = HOSTS.iter().position(|known| *known == host);
        if let Some(count) = position.and_then(|at| self.counts.requests.get(at)) {
            add(count);
        }
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl HandshakeFault {
    /// What an error of a handshake says.
    pub(super) fn of(error: &std::io::Error) -> Self {
        use rustls::AlertDescription as Alert;
        use rustls::Error;
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
        match inner {
            Some(Error::AlertReceived(alert)) => match alert {
                Alert::UnknownCA
                | Alert::BadCertificate
                | Alert::CertificateUnknown
                | Alert::UnsupportedCertificate
                | Alert::AccessDenied => Self::Untrusted,
                Alert::CertificateExpired | Alert::CertificateRevoked => Self::Expired,
                Alert::CloseNotify | Alert::UserCanceled => Self::Gone,
                _ => Self::Other,
            },
            Some(Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => Self::NotTls,
            // So says the library when no certificate was found for the name.
            Some(Error::General(_)) => Self::Nameless,
            Some(_) => Self::Other,
            None => Self::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_counts_from_its_mark() {
        let traffic = Traffic::default();
        traffic.connected(false);
        traffic.tunnelled("api.weixin.qq.com");
        traffic.asked("api.weixin.qq.com");
        let mark = traffic.mark();
        assert_eq!(traffic.since(&mark), TrafficSum::default());
        traffic.connected(false);
        traffic.connected(true);
        traffic.tunnelled_elsewhere("pypi.org:443");
        traffic.shaken();
        traffic.asked("graph.qq.com");
        traffic.asked("graph.qq.com");
        let sum = traffic.since(&mark);
        assert_eq!(
            (sum.connections, sum.gate, sum.tunnels, sum.others),
            (1, 1, 0, 1)
        );
        assert_eq!(sum.requests, [("graph.qq.com", 2)]);
        assert_eq!((sum.arrived(), sum.handshakes), (2, 1));
        assert_eq!(sum.last_other(), Some("pypi.org:443"));
        assert!(!sum.is_distrusted());
        let all = traffic.since(&Mark::default());
        assert_eq!(all.connections, 2);
    }

    #[test]
    fn who_was_distrusted_is_told() {
        let traffic = Traffic::default();
        let mark = traffic.mark();
        traffic.failed("api.weixin.qq.com", HandshakeFault::Gone);
        assert!(!traffic.since(&mark).is_distrusted());
        let mark = traffic.mark();
        traffic.failed("api.weixin.qq.com", HandshakeFault::Left);
        assert!(traffic.since(&mark).is_distrusted());
        let mark = traffic.mark();
        traffic.failed("api.weixin.qq.com", HandshakeFault::Untrusted);
        let sum = traffic.since(&mark);
        assert!(sum.is_distrusted());
        let last = Some(("api.weixin.qq.com", HandshakeFault::Untrusted));
        assert_eq!(sum.last_failure(), last);
        let later = traffic.mark();
        traffic.left("api.weixin.qq.com");
        assert!(traffic.since(&later).is_distrusted());
        traffic.asked("api.weixin.qq.com");
        assert!(!traffic.since(&later).is_distrusted());
    }

    #[test]
    fn what_opens_a_host_is_not_kept_with_its_name() {
        let traffic = Traffic::default();
        traffic.unreached("mei:pass@word@registry.example:443");
        traffic.forwarded("mei:password@registry.example");
        let events = traffic.since(&Mark::default()).events;
        let hosts: Vec<&str> = events.iter().map(|event| event.host.as_str()).collect();
        assert_eq!(hosts, ["registry.example:443", "registry.example"]);
    }

    #[test]
    fn the_last_events_are_kept_and_no_more() {
        let traffic = Traffic::default();
        for n in 0..200 {
            traffic.unreached(&format!("host{n}:443"));
        }
        let sum = traffic.since(&Mark::default());
        assert_eq!(sum.events.len(), KEPT);
        assert_eq!(sum.last_other(), Some("host199:443"));
    }
}
