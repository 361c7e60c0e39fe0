"""Submissions: results, and the networks if wanted, in one file that others verify and take in (docs/submission.md)."""
