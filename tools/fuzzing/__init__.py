"""Fuzz targets: functions that take any bytes, and say with an exception what went wrong."""
