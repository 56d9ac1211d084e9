//! The bytes of a row either make a ticket or a fault, and a ticket survives being written again.

use std::fmt::Debug;

use yufu_core::id::Number;
use yufu_core::secret::SecretHash;
use yufu_core::ticket::{
    Access, Body, Code, Interaction, Kind, Nonce, Passcode, PlatformStanding, RawTicket, Refresh,
    Scan, Session, Ticket,
};
use yufu_core::time::Timestamp;

/// The body of a row, tried as each kind.
pub fn run(data: &[u8]) {
    opened::<Interaction>(data);
    opened::<Session>(data);
    opened::<Scan>(data);
    opened::<Passcode>(data);
    opened::<Code>(data);
    opened::<Access>(data);
    opened::<Refresh>(data);
    opened::<Nonce>(data);
    opened::<PlatformStanding>(data);
}

fn opened<B: Body + PartialEq + Clone + Debug>(data: &[u8]) {
    for kind in Kind::ALL {
        let raw = raw(kind, data);
        let opened = raw.open::<B>();
        if kind != B::KIND {
            assert!(opened.is_err(), "a ticket of another kind was opened");
            continue;
        }
        let Ok(ticket) = opened else { continue };
        let sealed = ticket.clone().seal().expect("what was read can be written");
        assert_eq!(sealed.kind, B::KIND);
        let again = sealed.open::<B>().expect("what was written can be read");
        assert_eq!(again, ticket);
    }
}

fn raw(kind: Kind, body: &[u8]) -> RawTicket {
    RawTicket {
        kind,
        ticket: Ticket {
            number: Number(1),
            hash: SecretHash([0; 32]),
            grant: None,
            family: None,
            client: None,
            user: None,
            body: body.to_vec(),
            issued_at: Timestamp(0),
            expires_at: Timestamp(1),
            taken_at: None,
            revoked_at: None,
            version: 1,
        },
    }
}
