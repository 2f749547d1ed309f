//! A TCP proxy between the programs and the stand-in that breaks the wire.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wire {
    /// Nothing.
    Through,
    /// It is closed before a byte is read.
    Closed,
    /// It is taken and never answered.
    Hole,
    /// The answer breaks off after so many bytes.
    Cut(usize),
    /// The answer comes byte by byte, so many a second.
    Drip(u64),
}

/// The proxy; it ends with its test.
pub struct Proxy {
    pub port: u16,
    wire: Arc<Mutex<(Wire, u32)>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Before the server at this address.
    pub async fn before(server: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let wire = Arc::new(Mutex::new((Wire::Through, 0)));
        let breaks = wire.clone();
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((client, _)) = listener.accept().await {
                let now = {
                    let mut wire = breaks.lock().expect("no panic");
                    match wire.1 {
                        0 => Wire::Through,
                        left => {
                            wire.1 = left - 1;
                            wire.0
                        }
                    }
                };
                match now {
                    Wire::Closed => drop(client),
                    Wire::Hole => held.push(client),
                    _ => {
                        let server = server.clone();
                        tokio::spawn(async move {
                            let _ = carry(client, &server, now).await;
                        });
                    }
                }
            }
        });
        Proxy { port, wire, task }
    }

    /// Breaks the next connections.
    pub fn breaks(&self, wire: Wire, connections: u32) {
        *self.wire.lock().expect("no panic") = (wire, connections);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut client: TcpStream, server: &str, wire: Wire) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = tokio::io::copy(&mut from_client, &mut to_server);
    let down = async {
        let (mut buffer, mut passed) = (vec![0; 16 * 1024], 0);
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return std::io::Result::Ok(());
            }
            match wire {
                Wire::Cut(most) if passed + read >= most => {
                    to_client.write_all(&buffer[..most - passed]).await?;
                    return Ok(());
                }
                Wire::Drip(rate) => {
                    // The head comes at once: a slow body is the fault.
                    let head = 400_usize.saturating_sub(passed).min(read);
                    to_client.write_all(&buffer[..head]).await?;
                    for byte in &buffer[head..read] {
                        to_client.write_all(&[*byte]).await?;
                        tokio::time::sleep(Duration::from_micros(1_000_000 / rate)).await;
                    }
                }
                _ => to_client.write_all(&buffer[..read]).await?,
            }
            passed += read;
        }
    };
    tokio::select! {
        _ = up => {}
        _ = down => {}
    }
    Ok(())
}
