"""What came out of one run: verdict, summary, verification, money."""
