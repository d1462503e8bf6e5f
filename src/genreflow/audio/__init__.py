"""From files in any format to a cache of samples that every later step maps into memory."""
