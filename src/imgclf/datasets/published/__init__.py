"""Published data sets: found, downloaded, read in the form that they were published in."""
