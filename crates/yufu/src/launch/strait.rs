//! Streams between two networks of one machine. They meet in Unix sockets, which lie in the file
//! system and belong to no network: whoever connects says a port and a line feed, and is led there.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// How long the port may take to be said.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long others are given to finish when there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

/// Leads whoever comes to a port of this machine to another one, on the far side.
pub async fn across(listener: TcpListener, far: PathBuf, port: u16) {
    loop {
        let Ok((mut near, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let far = far.clone();
        tokio::spawn(async move {
            let _ = near.set_nodelay(true);
            if let Ok(mut stream) = UnixStream::connect(&far).await
                && stream
                    .write_all(format!("{port}\n").as_bytes())
                    .await
                    .is_ok()
            {
                let _ = copy_bidirectional(&mut near, &mut stream).await;
            }
        });
    }
}

/// Leads whoever comes from the far side to the port that they say, if it is one of these.
pub async fn ashore(listener: UnixListener, ports: Arc<[u16]>) {
    loop {
        let Ok((mut far, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let ports = ports.clone();
        tokio::spawn(async move {
            let port = tokio::time::timeout(PATIENCE, said(&mut far)).await;
            let Ok(Some(port)) = port else { return };
            if !ports.contains(&port) {
                return;
            }
            if let Ok(mut near) = local(port).await {
                let _ = near.set_nodelay(true);
                let _ = copy_bidirectional(&mut far, &mut near).await;
            }
        });
    }
}

/// A port of this machine, by whichever of its two addresses somebody listens.
async fn local(port: u16) -> io::Result<TcpStream> {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Ok(stream) => Ok(stream),
        Err(error) => {
            let other = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await;
            other.map_err(|_| error)
        }
    }
}

async fn said(stream: &mut UnixStream) -> Option<u16> {
    let mut digits = String::new();
    loop {
        match stream.read_u8().await.ok()? {
            b'\n' => return digits.parse().ok(),
            digit if digit.is_ascii_digit() && digits.len() < 5 => digits.push(char::from(digit)),
            _ => return None,
        }
    }
}

/// Opens a port of this machine.
///
/// # Errors
/// In the user's words.
pub async fn open(port: u16) -> Result<TcpListener, String> {
    crate::listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_crosses_to_the_ports_that_are_known_and_to_no_other() {
        let folder = crate::sandbox::Folder::temporary("yufu-strait").unwrap();
        let path = folder.path.join("s");
        let echo = open(0).await.unwrap();
        let port = echo.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            }
        });
        let known = Arc::from([port]);
        tokio::spawn(ashore(UnixListener::bind(&path).unwrap(), known));
        let near = open(0).await.unwrap();
        let address = near.local_addr().unwrap();
        tokio::spawn(across(near, path.clone(), port));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).await.unwrap();
        assert_eq!(back, "hello");
        for said in [
            format!("{}\n", port ^ 1),
            "x\n".to_owned(),
            "999999\n".to_owned(),
        ] {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            let mut back = Vec::new();
            let _ = stream.read_to_end(&mut back).await;
            assert_eq!(back, b"", "{said:?}");
        }
    }
}
