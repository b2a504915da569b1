"""What the sensor makes of the captures of other projects' test suites, beside what those projects make of them."""
