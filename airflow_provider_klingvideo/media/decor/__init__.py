"""What is laid over pictures and under sound: titles, logos, subtitles, music."""
