"""Files whose form is not CSV: JSON documents and workbooks."""
