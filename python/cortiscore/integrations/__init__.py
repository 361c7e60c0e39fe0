"""`cortiscore.Probe` as a callback of a training framework, one module each: `lightning` (LightningProbe), `transformers`
(HuggingFaceProbe) and `ignite` (IgniteProbe). None is imported before it is asked for. docs/training.md shows them at work."""
