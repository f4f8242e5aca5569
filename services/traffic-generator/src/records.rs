//! The raw records of a dataset file, one by one, each with its place.

use std::io::{self, BufRead, Seek, SeekFrom};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use crate::dataset::Position;

/// The largest record that is read; a larger one is passed over. Room for the largest question
/// and answer with every character escaped.
pub const MAX_RECORD_BYTES: usize = 2 << 20;
/// The most columns that a record may have; far more than any format has.
const MAX_COLUMNS: usize = 64;

/// How the records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, quoted by `"`, which is doubled inside quotes.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it begins.
    pub position: Position,
    /// Its columns (a line of JSON is one column), or why they are not kept.
    pub columns: Result<Vec<Vec<u8>>, String>,
}

/// Reads records in bounded memory, whatever the file holds.
pub struct Records<R> {
    input: R,
    parser: Reader,
    position: Position,
    text: Vec<u8>,
    ends: [usize; MAX_COLUMNS],
}

impl<R: BufRead> Records<R> {
    /// The format that a file seems to have, and its records from the first one on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn new(mut input: R) -> io::Result<(Format, Self)> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let skipped = if input.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        input.consume(skipped);
        let mut records = Self {
            input,
            parser: Reader::new(),
            position: Position {
                byte: skipped as u64,
                line: 1,
            },
            text: vec![0; MAX_RECORD_BYTES],
            ends: [0; MAX_COLUMNS],
        };
        records.skip_empty_lines()?;
        if !records.input.fill_buf()?.starts_with(b"{") {
            return Ok((Format::Csv, records));
        }
        // No JSON has a bare NUL, so that a whole line is one column.
        let lines = ReaderBuilder::new()
            .quoting(false)
            .delimiter(0)
            .terminator(Terminator::Any(b'\n'))
            .build();
        records.parser = lines;
        Ok((Format::JsonLines, records))
    }

    fn skip_empty_lines(&mut self) -> io::Result<()> {
        loop {
            let input = self.input.fill_buf()?;
            let empty = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if empty == 0 {
                return Ok(());
            }
            self.consume(empty)?;
        }
    }

    fn consume(&mut self, bytes: usize) -> io::Result<()> {
        let passed = &self.input.fill_buf()?[..bytes];
        self.position.line += passed.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.position.byte += bytes as u64;
        self.input.consume(bytes);
        Ok(())
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        self.skip_empty_lines()?;
        let position = self.position;
        let (mut length, mut columns, mut fault) = (0, 0, None);
        loop {
            let (text, ends) = (&mut self.text[length..], &mut self.ends[columns..]);
            let (result, read, written, ended) = self.parser.read_record(self.input.fill_buf()?, text, ends);
            self.consume(read)?;
            length += written;
            columns += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                // The rest of it is read over, into the same space.
                ReadRecordResult::OutputFull => {
                    (length, columns) = (0, 0);
                    fault = Some(format!("larger than {MAX_RECORD_BYTES} bytes; is a quote not closed?"));
                }
                ReadRecordResult::OutputEndsFull => {
                    columns = 0;
                    fault.get_or_insert(format!("more than {MAX_COLUMNS} columns"));
                }
                ReadRecordResult::Record => {
                    let columns = fault.map_or_else(|| Ok(self.columns(columns)), Err);
                    return Ok(Some(Record { position, columns }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn columns(&self, count: usize) -> Vec<Vec<u8>> {
        let ends = &self.ends[..count];
        let starts = std::iter::once(&0).chain(ends);
        starts
            .zip(ends)
            .map(|(&start, &end)| self.text[start..end].to_vec())
            .collect()
    }
}

impl<R: BufRead + Seek> Records<R> {
    /// Goes to a record, whose position an earlier reading gave.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn seek(&mut self, position: Position) -> io::Result<()> {
        self.input.seek(SeekFrom::Start(position.byte))?;
        self.parser.reset();
        self.position = position;
        Ok(())
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    /// Reads in steps of a few bytes, so that every record straddles some.
    fn records(file: &[u8]) -> Records<BufReader<Cursor<Vec<u8>>>> {
        Records::new(BufReader::with_capacity(5, Cursor::new(file.to_vec())))
            .unwrap()
            .1
    }

    fn lines_and_columns(file: &[u8]) -> Vec<(u64, Vec<String>)> {
        let text = |column: &Vec<u8>| String::from_utf8_lossy(column).into_owned();
        let read = records(file).map(Result::unwrap);
        read.map(|record| (record.position.line, record.columns.unwrap().iter().map(text).collect()))
            .collect()
    }

    #[test]
    fn quotes_hold_commas_doubled_quotes_and_line_breaks() {
        let file = b"1,\"a, \"\"b\"\"\nc\",,d\r\n\r\n\"2\",e,f,g";
        assert_eq!(
            lines_and_columns(file),
            [
                (1, ["1", "a, \"b\"\nc", "", "d"].map(String::from).to_vec()),
                (4, ["2", "e", "f", "g"].map(String::from).to_vec()),
            ]
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_record() {
        assert_eq!(
            lines_and_columns(b"\xef\xbb\xbf\"1\",a"),
            [(1, vec!["1".into(), "a".into()])]
        );
    }

    #[test]
    fn a_line_of_json_is_one_column() {
        let file = b"\n{\"a\": \"x, \\\"y\\\"\"}\r\n{}\n";
        assert_eq!(
            lines_and_columns(file),
            [(2, vec!["{\"a\": \"x, \\\"y\\\"\"}\r".into()]), (3, vec!["{}".into()])]
        );
    }

    #[test]
    fn a_record_that_is_too_large_is_passed_over_and_the_next_one_is_read() {
        let large = "x".repeat(MAX_RECORD_BYTES * 2);
        let wide = ",".repeat(MAX_COLUMNS);
        let file = format!("a,b\n\"{large}\n\",c\n{wide}\nd,e\n");
        let (_, records) = Records::new(file.as_bytes()).unwrap();
        let read: Vec<Record> = records.map(Result::unwrap).collect();
        assert_eq!(
            read.iter().map(|record| record.position.line).collect::<Vec<_>>(),
            [1, 2, 4, 5]
        );
        assert!(read[1].columns.as_ref().unwrap_err().contains("quote"));
        assert!(read[2].columns.as_ref().unwrap_err().contains("columns"));
        assert_eq!(read[3].columns.as_ref().unwrap(), &[b"d".to_vec(), b"e".to_vec()]);
    }

    #[test]
    fn every_record_is_found_again_by_its_place() {
        for file in ["1,\"a\nb\"\r\n\r\n2,\"c\"\n3,d", "{\"a\": 1}\n\n{\"b\": 2}\r\n{}"] {
            let mut records = records(file.as_bytes());
            let inorder: Vec<Record> = records.by_ref().map(Result::unwrap).collect();
            assert_eq!(inorder.len(), 3);
            for record in inorder.iter().rev() {
                records.seek(record.position).unwrap();
                assert_eq!(&records.next().unwrap().unwrap(), record);
            }
        }
    }
}
