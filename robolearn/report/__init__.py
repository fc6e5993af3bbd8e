"""The report: one HTML page that opens from disk, with figures, films and where they come from."""

from robolearn.report.page import RecordedLife, Section, Subject, write_page

__all__ = ["RecordedLife", "Section", "Subject", "write_page"]
