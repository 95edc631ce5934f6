//! Files of chunks: what is whole is found again, what is torn is as if it had never been.

use std::path::Path;

use sequor::state::{Chunks, Durability, Home, Statement, Store};

use super::{Place, all};

const FILE: &str = "run/step/ledger";

async fn chunks_of(chunks: &dyn Chunks, file: &str) -> (Vec<Vec<u8>>, u64) {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some((chunk, next)) = chunks.chunk(file, at).await.unwrap() {
        found.push(chunk);
        at = next;
    }
    (found, at)
}

fn chunk(n: u8) -> Vec<u8> {
    (0..=n).map(|i| i.wrapping_mul(n)).collect()
}

#[tokio::test]
async fn chunks_come_back_in_order_and_are_cut() {
    for place in all().await {
        Store::open(place.home.clone(), "p").await.unwrap();
        let chunks = place.chunks(&place.home);
        assert_eq!(chunks_of(&*chunks, FILE).await, (Vec::new(), 0), "{}", place.name);
        for durability in [Durability::Process, Durability::Machine] {
            chunks
                .append(FILE, vec![chunk(1), chunk(2)], durability)
                .await
                .unwrap();
        }
        chunks
            .append(FILE, vec![Vec::new()], Durability::Process)
            .await
            .unwrap();
        chunks
            .append("run/step/rows", vec![chunk(9)], Durability::Process)
            .await
            .unwrap();
        let all = [chunk(1), chunk(2), chunk(1), chunk(2), Vec::new()];
        let again = place.chunks(&place.again().await);
        assert_eq!(chunks_of(&*again, FILE).await.0, all, "{}", place.name);
        let (_, second) = again.chunk(FILE, 0).await.unwrap().unwrap();
        again.cut(FILE, second).await.unwrap();
        again
            .append(FILE, vec![chunk(7)], Durability::Process)
            .await
            .unwrap();
        assert_eq!(
            chunks_of(&*chunks, FILE).await.0,
            [chunk(1), chunk(7)],
            "{}",
            place.name
        );
        // Names are beginnings, and nothing else goes with them.
        again.remove("run/step/l").await.unwrap();
        assert_eq!(
            chunks_of(&*chunks, "run/step/rows").await.0,
            [chunk(9)],
            "{}",
            place.name
        );
        again.remove("run/").await.unwrap();
        assert!(
            chunks_of(&*chunks, "run/step/rows").await.0.is_empty(),
            "{}",
            place.name
        );
    }
}

/// The file of a folder that holds chunks.
fn only_file(folder: &Path) -> std::path::PathBuf {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test]
async fn a_chunk_that_is_torn_and_all_behind_it_are_none() {
    let place = Place::new("sqlite").await;
    Store::open(place.home.clone(), "p").await.unwrap();
    let chunks = place.chunks(&place.home);
    let written = [chunk(30), chunk(40), chunk(50)];
    chunks
        .append(FILE, written.to_vec(), Durability::Process)
        .await
        .unwrap();
    let file = only_file(&place.folder.path().join("runs"));
    let whole = std::fs::read(&file).unwrap();
    let ends: Vec<usize> = [0, 1, 2]
        .iter()
        .scan(0, |end, at| {
            *end += 8 + written[*at].len();
            Some(*end)
        })
        .collect();
    assert_eq!(ends[2], whole.len());
    // Cut anywhere, as a power cut does; or with a bit that is another.
    for at in 0..whole.len() {
        std::fs::write(&file, &whole[..at]).unwrap();
        let complete = ends.iter().filter(|end| **end <= at).count();
        assert_eq!(
            chunks_of(&*chunks, FILE).await.0,
            written[..complete],
            "cut at {at}"
        );
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&file, &flipped).unwrap();
        let before = ends.iter().filter(|end| **end <= at).count();
        assert_eq!(
            chunks_of(&*chunks, FILE).await.0,
            written[..before],
            "a bit at {at}"
        );
    }
    // Zeros, as some filesystems leave after a power cut.
    let mut zeros = whole.clone();
    zeros.extend([0; 4096]);
    std::fs::write(&file, &zeros).unwrap();
    let (found, end) = chunks_of(&*chunks, FILE).await;
    assert_eq!(found, written);
    chunks.cut(FILE, end).await.unwrap();
    chunks
        .append(FILE, vec![chunk(9)], Durability::Process)
        .await
        .unwrap();
    assert_eq!(chunks_of(&*chunks, FILE).await.0.last(), Some(&chunk(9)));
}

#[tokio::test]
async fn a_row_of_chunks_that_was_changed_is_none() {
    let place = Place::new("postgres").await;
    Store::open(place.home.clone(), "p").await.unwrap();
    let chunks = place.chunks(&place.home);
    chunks
        .append(FILE, vec![chunk(3), chunk(4)], Durability::Process)
        .await
        .unwrap();
    let (_, second) = chunks.chunk(FILE, 0).await.unwrap().unwrap();
    let home: &dyn Home = &*place.home;
    let change = Statement::new(
        "UPDATE @chunks SET chunk = $1 WHERE file = $2 AND number = (SELECT max(number) FROM @chunks)",
        [sequor::state::Field::Bytes(Some(chunk(5))), FILE.into()],
    );
    home.write("test", &[change], Durability::Process).await.unwrap();
    assert_eq!(chunks_of(&*chunks, FILE).await, (vec![chunk(3)], second));
}
