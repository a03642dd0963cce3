//! Who is let in: connections in all, and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crosstalk_protocol::DisconnectCode;

use crate::peer::lock;

/// Counts connections.
#[derive(Debug)]
pub struct Admission {
    max: usize,
    max_per_ip: Option<usize>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    per_ip: HashMap<IpAddr, usize>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    ip: IpAddr,
}

impl Admission {
    /// Admits `max` connections in all, and `max_per_ip` of one address.
    pub fn new(max: usize, max_per_ip: Option<usize>) -> Self {
        Self { max, max_per_ip, counts: Mutex::default() }
    }

    /// Takes a place for a connection from `ip`.
    ///
    /// # Errors
    /// What to tell the peer: `server-full` or `address-full`.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Permit, DisconnectCode> {
        let ip = ip.to_canonical();
        let mut counts = lock(&self.counts);
        if counts.all >= self.max {
            return Err(DisconnectCode::ServerFull);
        }
        let of_ip = counts.per_ip.entry(ip).or_default();
        if self.max_per_ip.is_some_and(|max| *of_ip >= max) {
            return Err(DisconnectCode::AddressFull);
        }
        *of_ip += 1;
        counts.all += 1;
        Ok(Permit { admission: self.clone(), ip })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = lock(&self.admission.counts);
        counts.all -= 1;
        if let Some(of_ip) = counts.per_ip.get_mut(&self.ip) {
            *of_ip -= 1;
            if *of_ip == 0 {
                counts.per_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let admission = Arc::new(Admission::new(3, Some(2)));
        let (first, second) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let one = admission.admit(first).unwrap();
        let two = admission.admit("::ffff:127.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(admission.admit(first).unwrap_err(), DisconnectCode::AddressFull);
        let three = admission.admit(second).unwrap();
        assert_eq!(admission.admit(second).unwrap_err(), DisconnectCode::ServerFull);
        drop(one);
        assert!(admission.admit(first).is_ok());
        drop((two, three));
        assert!(lock(&admission.counts).per_ip.is_empty());
    }
}
