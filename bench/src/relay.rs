//! The limit: a server that writes what it reads to everybody else, as it is, with one write for each
//! of them. It knows no names, no rooms and no frames, so that what it costs is what the kernel costs.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

/// Bytes taken with one read.
const READ_MAX: usize = 256 * 1024;

/// Where the socket is that listens; clients are counted from 0.
const LISTENER: u64 = u64::MAX;

/// Runs until it is killed. Says where it listens as the server does.
///
/// # Errors
/// The system's; also if a client takes too little, which a relay without memory has no answer to.
pub(crate) fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    println!("Crosstalk is listening: lines and JSON on {address}, the page on http://{address}/");
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut clients: Vec<Option<TcpStream>> = Vec::new();
    let mut events = Vec::with_capacity(1_024);
    let mut buffer = vec![0; READ_MAX];
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let place = event.data.u64();
            if place == LISTENER {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let data = epoll::EventData::new_u64(clients.len() as u64);
                epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
                clients.push(Some(stream));
                continue;
            }
            let place = place as usize;
            let Some(mut client) = clients[place].as_ref() else { continue };
            match client.read(&mut buffer) {
                Ok(0) => clients[place] = None,
                Ok(len) => copy(&buffer[..len], place, &clients)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => clients[place] = None,
            }
        }
    }
}

fn copy(bytes: &[u8], from: usize, clients: &[Option<TcpStream>]) -> anyhow::Result<()> {
    for (place, client) in clients.iter().enumerate() {
        let Some(mut client) = client.as_ref().filter(|_| place != from) else { continue };
        match client.write(bytes) {
            Ok(written) => anyhow::ensure!(written == bytes.len(), "a client takes too little"),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(error).context("a client takes too little"),
        }
    }
    Ok(())
}
