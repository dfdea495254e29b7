"""Whether the memory of a dyno grows: its lives, the shapes of growth, the verdict, the forecast, the words."""
