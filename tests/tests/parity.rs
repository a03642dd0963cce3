//! One conversation is the same through every door, and through any two of them.
//!
//! The conversations are in `tests/transcripts/`; how they are written is in [`Transcript`].

use crosstalk_tests::{Door, Transcript};
use tokio::task::JoinSet;

/// Plays at once: each has a server, and mostly waits for an unframed peer's quiet time.
const AT_ONCE: usize = 12;

macro_rules! transcripts {
    ($($name:literal),* $(,)?) => {
        vec![$(Transcript::parse($name, include_str!(concat!("../transcripts/", $name, ".txt")))),*]
    };
}

fn transcripts() -> Vec<Transcript> {
    transcripts!["lobby", "rooms", "direct", "emotes", "hiding", "renaming", "leaving", "history", "crowd"]
}

/// Plays each transcript with each list of doors, and then says how many went wrong.
async fn play(casts: Vec<Vec<Door>>, wanted: impl Fn(&Transcript) -> bool) {
    let mut plays = JoinSet::new();
    let mut failed = 0;
    for doors in casts {
        for transcript in transcripts().into_iter().filter(&wanted) {
            let doors = doors.clone();
            if plays.len() == AT_ONCE
                && let Some(Err(_)) = plays.join_next().await
            {
                failed += 1;
            }
            plays.spawn(async move { transcript.play(&doors).await });
        }
    }
    while let Some(play) = plays.join_next().await {
        failed += usize::from(play.is_err());
    }
    assert_eq!(failed, 0, "plays did not go as written");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_gives_the_same_conversation() {
    play(Door::ALL.iter().map(|door| vec![*door]).collect(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_two_doors_lead_into_the_same_room() {
    let mut pairs = Vec::new();
    for first in Door::ALL {
        for second in Door::ALL {
            if first != second {
                pairs.push(vec![first, second]);
            }
        }
    }
    play(pairs, |transcript| transcript.people() <= 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_doors_lead_into_the_same_room() {
    let casts = (0..Door::ALL.len()).map(|first| {
        let mut doors = Door::ALL.to_vec();
        doors.rotate_left(first);
        doors
    });
    play(casts.collect(), |transcript| transcript.people() == 3).await;
}
