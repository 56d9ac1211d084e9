//! The backend as a process of its own, to be killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::world::World;

/// A server process over the world's database.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts another process with the world's settings, on a port of its own.
    pub(crate) fn beside(world: &World) -> Self {
        let path = world.folder.join("yufu.toml");
        std::fs::write(&path, &world.config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_yufu"))
            .args(["serve", "--json", "--config"])
            .arg(&path)
            .env("YUFU_LOGIN_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("a line that says ready");
        let text = ready.as_object().unwrap().values();
        let address = text
            .filter_map(Value::as_str)
            .find(|text| !text.starts_with("http"))
            .expect("an address");
        let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
        Self { child, port }
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
