//! How deep a hierarchy is, by definition.

use crate::oracle::World;

/// How many domains the longest chain has.
pub fn tiers(world: &World) -> usize {
    let domains = world.controls.len();
    let mut heights = vec![1; domains];
    for _ in 0..domains {
        for (upper, row) in world.controls.iter().enumerate() {
            let below = row.iter().zip(&heights).filter(|(controlled, _)| **controlled);
            heights[upper] = 1 + below.map(|(_, height)| *height).max().unwrap_or(0);
        }
    }
    heights.into_iter().max().unwrap_or(0)
}
