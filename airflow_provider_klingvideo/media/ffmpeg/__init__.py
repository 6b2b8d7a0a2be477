"""Finding, running and feeding ffmpeg."""
