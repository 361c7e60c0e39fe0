"""The store as a site of one page (docs/leaderboard.md)."""
