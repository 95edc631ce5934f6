//! Large futures, made where they are kept: made in the function that awaits them, they would stand on its stack, too.

use futures::future::BoxFuture;

/// Makes a future on the heap.
#[inline(never)]
pub fn boxed<'a, F, T>(make: impl FnOnce() -> F) -> BoxFuture<'a, T>
where
    F: Future<Output = T> + Send + 'a,
{
    Box::pin(make())
}
