//! TLS to the platform under its own names: through the proxy of a sandbox, or at its gate.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::process::House;
use super::wire::{Answer, Ask, Wire};

/// A connection under one of the platform's names.
pub(crate) struct Named {
    host: &'static str,
    wire: Wire,
}

impl Named {
    /// Through the proxy of a sandbox.
    pub(crate) fn new(house: &House, host: &'static str) -> Self {
        let (status, stream) = tunnel(house, &format!("{host}:443"));
        assert_eq!(status, 200);
        Self::over(house, host, stream)
    }

    fn over(house: &House, host: &'static str, stream: TcpStream) -> Self {
        let port = stream.peer_addr().unwrap().port();
        let stream = StreamOwned::new(client(house, host), stream);
        Self {
            host,
            wire: Wire::over(port, Box::new(stream)),
        }
    }

    pub(crate) fn ask(&mut self, ask: Ask) -> Answer {
        let host = ask.host.clone().unwrap_or(self.host.to_owned());
        self.wire.ask(&ask.host(&host))
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask(Ask::get(target))
    }

    /// Whether a request gets no answer, and the connection ends instead.
    pub(crate) fn is_cut(&mut self, target: &str) -> bool {
        let ask = Ask::get(target).host(self.host);
        self.wire.send(&ask.bytes(0));
        self.wire.answer().is_none()
    }
}

/// At the gate of a sandbox, without a proxy.
pub(crate) fn at_gate(house: &House, host: &'static str) -> Named {
    Named::over(house, host, Wire::dial(port(house, "gate")))
}

fn client(house: &House, host: &str) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    let root = std::fs::read(house.ready["ca"].as_str().unwrap()).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&root).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

fn port(house: &House, door: &str) -> u16 {
    let address = house.ready[door].as_str().unwrap();
    address.rsplit(':').next().unwrap().parse().unwrap()
}

/// Asks the proxy for a tunnel: its status, and what is behind it.
pub(crate) fn tunnel(house: &House, target: &str) -> (u16, TcpStream) {
    let mut stream = Wire::dial(port(house, "proxy"));
    let ask = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), stream)
}
