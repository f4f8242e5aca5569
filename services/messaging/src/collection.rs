//! Collections whose documents are read and written as a type of ours.
//!
//! The driver's own collection is generic over that type, and so each service compiled much of the driver anew for each of
//! its types: half of the time that its compilation took. This one uses the driver for raw documents alone, and BSON
//! becomes a type by way of erased-serde, which is compiled once.

use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, Stream, StreamExt as _, TryStreamExt as _};
use mongodb::action::Action as _;
use mongodb::bson::{Document, RawDocument, RawDocumentBuf, deserialize_from_slice, serialize_to_raw_document_buf};
use mongodb::error::{Error, ErrorKind, Result};
use mongodb::options::FindOptions;
use mongodb::results::UpdateResult;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::mongo::Mongo;

type Raw = mongodb::Collection<RawDocumentBuf>;

impl Mongo {
    /// A collection of the database, with documents of one type; nothing is asked of it yet.
    #[must_use]
    pub fn collection<T>(&self, name: &str) -> Collection<T> {
        Collection::new(self.database.collection(name))
    }
}

/// A collection with documents of type `T`.
///
/// What neither reads nor writes whole documents is the driver's, as to update or to delete.
pub struct Collection<T> {
    raw: Raw,
    documents: PhantomData<fn() -> T>,
}

impl<T> Collection<T> {
    fn new(raw: Raw) -> Self {
        Self {
            raw,
            documents: PhantomData,
        }
    }

    /// The same collection, with documents of another type: of some of their fields, perhaps.
    #[must_use]
    pub fn of<U>(&self) -> Collection<U> {
        Collection::new(self.raw.clone())
    }
}

// Not derived: that would ask it of T.
impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        self.of()
    }
}

impl<T> Deref for Collection<T> {
    type Target = Raw;

    fn deref(&self) -> &Raw {
        &self.raw
    }
}

impl<T: DeserializeOwned> Collection<T> {
    /// The documents that `filter` matches.
    pub fn find(&self, filter: Document) -> Find<T> {
        Find {
            query: Query {
                raw: self.raw.clone(),
                filter,
                options: FindOptions::default(),
            },
            documents: PhantomData,
        }
    }
}

impl<T: Serialize> Collection<T> {
    /// Inserts the documents whose `_id` is not there yet, and gives the others, by index.
    ///
    /// # Errors
    /// What the driver says; some of the documents may be inserted then.
    pub async fn insert_new<'a>(&self, documents: impl IntoIterator<Item = &'a T>) -> Result<Vec<usize>>
    where
        T: 'a,
    {
        let documents = documents.into_iter().map(|document| write(document));
        insert_new(self.raw.clone(), documents.collect::<Result<_>>()?).await
    }

    /// Puts a document in the place of the one that `filter` matches; with `upsert`, also where there is none.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn replace_one(&self, filter: Document, document: &T, upsert: bool) -> Result<UpdateResult> {
        let document = write(document)?;
        self.raw.replace_one(filter, document).upsert(upsert).await
    }
}

/// A search, which begins when its documents are asked for.
#[must_use]
pub struct Find<T> {
    query: Query,
    documents: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Find<T> {
    /// Reads these fields alone.
    pub fn projection(mut self, fields: Document) -> Self {
        self.query.options.projection = Some(fields);
        self
    }

    /// Finds them in this order.
    pub fn sort(mut self, order: Document) -> Self {
        self.query.options.sort = Some(order);
        self
    }

    /// Finds so many at most.
    pub fn limit(mut self, most: i64) -> Self {
        self.query.options.limit = Some(most);
        self
    }

    /// Fetches so many at a time.
    pub fn batch_size(mut self, documents: u32) -> Self {
        self.query.options.batch_size = Some(documents);
        self
    }

    /// The first document, if there is any.
    ///
    /// # Errors
    /// What the driver says, and a document that is no `T`.
    pub async fn first(self) -> Result<Option<T>> {
        self.query.first().await?.as_deref().map(read).transpose()
    }

    /// All documents.
    ///
    /// # Errors
    /// What the driver says, and a document that is no `T`.
    pub async fn all(self) -> Result<Vec<T>> {
        self.query.all().await?.iter().map(|document| read(document)).collect()
    }

    /// All documents that are a `T`; `unreadable` is told of each that is none.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn readable(self, unreadable: impl Fn(Error)) -> Result<Vec<T>> {
        let found = self.query.all().await?;
        let read = |document: &RawDocumentBuf| read(document).map_err(&unreadable).ok();
        Ok(found.iter().filter_map(read).collect())
    }

    /// One document after the other.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn stream(self) -> Result<Documents<T>> {
        Ok(Documents {
            raw: self.query.stream().await?,
            documents: PhantomData,
        })
    }
}

/// Documents on their way; an error is the driver's, or that of a document that is no `T`.
pub struct Documents<T> {
    raw: BoxStream<'static, Result<RawDocumentBuf>>,
    documents: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Stream for Documents<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.raw.poll_next_unpin(context);
        next.map(|next| next.map(|document| read(&document?)))
    }
}

/// What is asked of the driver. Its futures are in boxes, that services need not compile them again.
struct Query {
    raw: Raw,
    filter: Document,
    options: FindOptions,
}

impl Query {
    fn first(self) -> BoxFuture<'static, Result<Option<RawDocumentBuf>>> {
        let Self { raw, filter, options } = self;
        async move {
            let find = raw.find_one(filter);
            find.optional(options.projection, |find, fields| find.projection(fields))
                .optional(options.sort, |find, order| find.sort(order))
                .await
        }
        .boxed()
    }

    fn all(self) -> BoxFuture<'static, Result<Vec<RawDocumentBuf>>> {
        async move { self.stream().await?.try_collect().await }.boxed()
    }

    fn stream(self) -> BoxFuture<'static, Result<BoxStream<'static, Result<RawDocumentBuf>>>> {
        let Self { raw, filter, options } = self;
        async move { Ok(raw.find(filter).with_options(options).await?.boxed()) }.boxed()
    }
}

fn insert_new(raw: Raw, documents: Vec<RawDocumentBuf>) -> BoxFuture<'static, Result<Vec<usize>>> {
    async move { already_there(raw.insert_many(documents).ordered(false).await) }.boxed()
}

/// MongoDB's error code for a document whose `_id` is there already.
const DUPLICATE_KEY: i32 = 11000;

/// Which documents of an unordered insert were there already, by index.
fn already_there<T>(inserted: Result<T>) -> Result<Vec<usize>> {
    let Err(error) = inserted else { return Ok(Vec::new()) };
    if let ErrorKind::InsertMany(failure) = &*error.kind
        && failure.write_concern_error.is_none()
        && let Some(errors) = &failure.write_errors
        && errors.iter().all(|error| error.code == DUPLICATE_KEY)
    {
        return Ok(errors.iter().map(|error| error.index).collect());
    }
    Err(error)
}

/// Reads a document.
///
/// # Errors
/// It is no `T`.
pub fn read<T: DeserializeOwned>(document: &RawDocument) -> Result<T> {
    let Erased(read) = deserialize_from_slice(document.as_bytes())?;
    Ok(read)
}

/// Writes a document.
///
/// # Errors
/// It cannot be one.
pub fn write<T: Serialize>(document: &T) -> Result<RawDocumentBuf> {
    write_erased(document)
}

fn write_erased(document: &dyn erased_serde::Serialize) -> Result<RawDocumentBuf> {
    Ok(serialize_to_raw_document_buf(&document)?)
}

/// Of BSON's deserializer, `T` knows no more than that it is one.
struct Erased<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Erased<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        erased_serde::deserialize(&mut erased)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mongodb::bson::{Bson, DateTime, doc};
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Named { name: String },
        Both(i32, f64),
    }

    /// What documents of ours have in them.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Whole {
        #[serde(rename = "_id")]
        id: String,
        at: Option<DateTime>,
        count: i64,
        share: f64,
        kinds: Vec<Kind>,
        anything: Bson,
        #[serde(flatten)]
        rest: BTreeMap<String, i64>,
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Plain),
            ".*".prop_map(|name| Kind::Named { name }),
            (any::<i32>(), -1e9..1e9).prop_map(|(whole, share)| Kind::Both(whole, share)),
        ]
    }

    fn whole() -> impl Strategy<Value = Whole> {
        let at = prop::option::of((0..1_i64 << 40).prop_map(DateTime::from_millis));
        let kinds = prop::collection::vec(kind(), 0..4);
        let anything = prop_oneof![
            Just(Bson::Null),
            any::<i32>().prop_map(Bson::Int32),
            (0..1_i64 << 40).prop_map(|at| Bson::DateTime(DateTime::from_millis(at))),
            ".*".prop_map(|text| Bson::Document(doc! { "text": text, "list": [1, 2.5, true] })),
        ];
        let rest = prop::collection::btree_map("rest_[a-z]{1,3}", any::<i64>(), 0..3);
        (".*", at, any::<i64>(), -1e9..1e9, kinds, anything, rest).prop_map(
            |(id, at, count, share, kinds, anything, rest)| Whole {
                id,
                at,
                count,
                share,
                kinds,
                anything,
                rest,
            },
        )
    }

    proptest! {
        #[test]
        fn a_document_is_written_and_read_as_the_driver_does_it(whole in whole()) {
            let written = write(&whole).unwrap();
            prop_assert_eq!(&written, &serialize_to_raw_document_buf(&whole).unwrap());
            prop_assert_eq!(&read::<Whole>(&written).unwrap(), &whole);
            let json = deserialize_from_slice::<serde_json::Value>(written.as_bytes()).unwrap();
            prop_assert_eq!(read::<serde_json::Value>(&written).unwrap(), json);
        }
    }

    #[test]
    fn a_document_of_another_form_is_named_for_what_it_lacks() {
        let other = RawDocumentBuf::try_from(&doc! { "_id": "a", "at": null }).unwrap();
        let error = read::<Whole>(&other).unwrap_err().to_string();
        assert!(error.contains("count"), "{error}");
    }
}
