//! Lists of lists: a chain of nodes, each with segments of its own, that grows at its end.

use core::cell::UnsafeCell;
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use super::{Segment, Segments};
use crate::host::Host;

/// Room for the segments of a [node](ChainNode::growing) that grows.
///
/// It drops its segments when it is dropped, or when it is used for another node.
pub struct ChainSlots<S, const N: usize> {
    /// The first `used` of them are initialised.
    slots: UnsafeCell<[MaybeUninit<S>; N]>,
    used: AtomicUsize,
}

// SAFETY: only `ChainSlots::clear`, `drop` and `ChainNode::growing` look inside, through an exclusive
// reference.
unsafe impl<S: Send, const N: usize> Sync for ChainSlots<S, N> {}

impl<S, const N: usize> ChainSlots<S, N> {
    /// Room for `N` segments.
    #[must_use]
    pub const fn new() -> Self {
        let slots = UnsafeCell::new([const { MaybeUninit::uninit() }; N]);
        Self { slots, used: AtomicUsize::new(0) }
    }

    /// Drops the segments.
    fn clear(&mut self) {
        let used = core::mem::take(self.used.get_mut());
        for slot in self.slots.get_mut().iter_mut().take(used) {
            // SAFETY: one of the first `used` slots, which are initialised, and which are forgotten.
            unsafe { slot.assume_init_drop() };
        }
    }
}

impl<S, const N: usize> Drop for ChainSlots<S, N> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<S, const N: usize> Default for ChainSlots<S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, const N: usize> fmt::Debug for ChainSlots<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.used.load(Relaxed);
        f.debug_struct("ChainSlots").field("used", &used).field("slots", &N).finish()
    }
}

/// One node of a [`Chain`]: some segments, and the way to the nodes before and after it.
///
/// A node without segments, or with empty ones, changes no result.
#[doc(alias = "bvecq")]
#[doc(alias = "folio_queue")]
pub struct ChainNode<'a, S> {
    segments: NodeSegments<'a, S>,
    /// The node before, in the chain that this one is in.
    previous: Option<NonNull<()>>,
    /// The node after, or null. Both are `ChainNode<S>` that live as long as this node is borrowed: a
    /// pointer to that type would forbid to shorten `'a`.
    next: AtomicPtr<()>,
    // Segments that are pushed to a growing node are dropped with the slots, as what the slots are said to
    // hold: they must not live shorter.
    _invariant: PhantomData<fn(S) -> S>,
}

enum NodeSegments<'a, S> {
    Fixed(&'a [S]),
    /// The first `used` of `capacity` slots are initialised, and stay as they are for `'a`.
    Growing {
        slots: NonNull<S>,
        capacity: usize,
        used: &'a AtomicUsize,
    },
}

// SAFETY: a node gives `&S`, and the end of a chain, which is `Send` only if `S` is, puts segments in.
unsafe impl<S: Send + Sync> Send for ChainNode<'_, S> {}
// SAFETY: as above; what is not behind an exclusive reference is atomic.
unsafe impl<S: Send + Sync> Sync for ChainNode<'_, S> {}

impl<'a, S> ChainNode<'a, S> {
    /// A node of these segments.
    #[must_use]
    pub const fn new(segments: &'a [S]) -> Self {
        Self::of(NodeSegments::Fixed(segments))
    }

    /// A node without segments, to which [`ChainTail::push`] adds up to `N`. Drops what `slots` held before.
    ///
    /// The slots keep the segments, which must live as long as their type says:
    ///
    /// ```compile_fail,E0597
    /// # use iov_iter::{KVec, Source, segment::{Chain, ChainNode, ChainSlots}};
    /// let mut slots = ChainSlots::<KVec<'static, Source>, 1>::new();
    /// {
    ///     let bytes = *b"gone before the slots are";
    ///     let mut node = ChainNode::growing(&mut slots);
    ///     let (_, mut tail) = Chain::new(&mut node);
    ///     tail.push(KVec::from(&bytes)).unwrap();
    /// }
    /// ```
    #[must_use]
    pub fn growing<const N: usize>(slots: &'a mut ChainSlots<S, N>) -> Self {
        slots.clear();
        // Not of the reference: nothing else may refer to the slots while segments are put in.
        let start = NonNull::new(slots.slots.get().cast()).unwrap_or(NonNull::dangling());
        Self::of(NodeSegments::Growing { slots: start, capacity: N, used: &slots.used })
    }

    const fn of(segments: NodeSegments<'a, S>) -> Self {
        let next = AtomicPtr::new(core::ptr::null_mut());
        Self { segments, previous: None, next, _invariant: PhantomData }
    }

    /// The segments that there are now.
    #[must_use]
    pub fn segments(&self) -> &[S] {
        match &self.segments {
            NodeSegments::Fixed(segments) => segments,
            NodeSegments::Growing { slots, used, .. } => {
                // SAFETY: the first `used` slots are initialised, which the load sees, and nobody changes
                // them as long as the slots are borrowed; `used` never exceeds their number.
                unsafe { core::slice::from_raw_parts(slots.as_ptr(), used.load(Acquire)) }
            }
        }
    }
}

impl<S> fmt::Debug for ChainNode<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainNode")
            .field("segments", &self.segments().len())
            .field("is_last", &self.next.load(Relaxed).is_null())
            .finish()
    }
}

/// A chain of nodes that hold segments: a list that an [`IovIter`](crate::IovIter) or a
/// [`Cursor`](crate::Cursor) walks, and that may grow meanwhile.
///
/// ```text
///    Chain                                                        ChainTail
///      │                                                             │
///      ▼                                                             ▼
///   ┌─ node ──┐ next   ┌─ node ┐        ┌─ node ────────┐  append ┌─ node ─────┐
///   │ ▒▒▒ ▒▒▒ ├───────►│       ├───────►│ ▒▒▒ (empty) ▒ ├────────►│ ▒▒▒ ◄ push │
///   └─────────┘◄───────┤       │◄───────┤               │◄────────┤            │
///              previous└───────┘        └───────────────┘         └────────────┘
/// ```
///
/// The handle is small and is copied. A count says how many bytes are meant, whether they are there yet or
/// not: where the chain ends before, results are short, and a later call goes on with what was appended
/// meanwhile. Nothing is skipped, and what a reverting cursor passes again is what was there.
///
/// Only the one [`ChainTail`] grows the chain. A node is borrowed exclusively by the chain that it is in: it
/// is in one chain once, and a circle cannot be made. One thread may grow the chain while others walk it: a
/// walk meets a segment whole or not at all, in the order in which they came.
///
/// ```
/// use iov_iter::{IovIter, KVec, Source, host::SharedOnly, segment::{Chain, ChainNode}};
///
/// let (head, body) = ([KVec::from(b"head"), KVec::from(b"er ")], [KVec::from(b"body")]);
/// let (mut first, mut second) = (ChainNode::new(&head), ChainNode::new(&body));
/// let (chain, mut tail) = Chain::new(&mut first);
/// let mut iter = IovIter::<Source, SharedOnly>::kvec_chain(chain, 11);
/// let mut bytes = [0; 11];
/// // The end of the chain, not of the iterator.
/// assert_eq!((iter.copy_from_iter(&mut bytes), iter.remaining()), (7, 4));
/// tail.append(&mut second);
/// assert_eq!((iter.copy_from_iter(&mut bytes[7..]), &bytes), (4, b"header body"));
/// ```
///
/// A node goes into a chain once:
///
/// ```compile_fail,E0499
/// # use iov_iter::{KVec, Source, segment::{Chain, ChainNode}};
/// let segments = [KVec::<Source>::from(b"bytes")];
/// let mut node = ChainNode::new(&segments);
/// let (chain, mut tail) = Chain::new(&mut node);
/// tail.append(&mut node);
/// ```
#[doc(alias = "rolling_buffer")]
pub struct Chain<'a, S> {
    head: NodeRef<'a, S>,
}

/// A node to look at. A reference to it would forbid to shorten the lifetimes in `S`, which only who pushes
/// segments must not do.
struct NodeRef<'a, S> {
    node: NonNull<()>,
    _segments: PhantomData<&'a S>,
}

// SAFETY: as a reference to a node.
unsafe impl<S: Send + Sync> Send for NodeRef<'_, S> {}
// SAFETY: as above.
unsafe impl<S: Send + Sync> Sync for NodeRef<'_, S> {}

impl<S> Clone for NodeRef<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for NodeRef<'_, S> {}

impl<'a, S> NodeRef<'a, S> {
    fn new(node: &'a ChainNode<'a, S>) -> Self {
        Self { node: NonNull::from(node).cast(), _segments: PhantomData }
    }

    const fn get(self) -> &'a ChainNode<'a, S> {
        // SAFETY: a node that is borrowed for `'a`. If its segments were shortened since, they still are
        // segments to look at, and nobody pushes through this reference.
        unsafe { self.node.cast().as_ref() }
    }
}

/// The end of a [`Chain`], where it grows.
pub struct ChainTail<'a, S> {
    last: &'a ChainNode<'a, S>,
    // What is appended must live as long as the chain said at first: `'a` must not be shortened.
    _invariant: PhantomData<fn(&'a S) -> &'a S>,
}

impl<'a, S> Chain<'a, S> {
    /// A chain of one node, and its end.
    #[must_use]
    pub fn new(node: &'a mut ChainNode<'_, S>) -> (Self, ChainTail<'a, S>) {
        let head = link(node, None);
        (Self { head: NodeRef::new(head) }, ChainTail { last: head, _invariant: PhantomData })
    }

    /// A chain of these nodes, and its end; `None` if there are none.
    #[must_use]
    pub fn of_nodes(nodes: &'a mut [ChainNode<'_, S>]) -> Option<(Self, ChainTail<'a, S>)> {
        let (first, others) = nodes.split_first_mut()?;
        let (chain, mut tail) = Self::new(first);
        for node in others {
            tail.append(node);
        }
        Some((chain, tail))
    }

    /// The nodes that there are now, from the first one on.
    pub fn nodes(&self) -> impl Iterator<Item = &'a ChainNode<'a, S>> + use<'a, S> {
        let mut next = Some(self.head.get());
        core::iter::from_fn(move || {
            let node = next?;
            next = node.after();
            Some(node)
        })
    }
}

/// Takes the place after `previous` in a chain.
fn link<'a, S>(
    node: &'a mut ChainNode<'_, S>,
    previous: Option<NonNull<()>>,
) -> &'a ChainNode<'a, S> {
    // It may have been in another chain, which nobody borrows any more.
    *node.next.get_mut() = core::ptr::null_mut();
    node.previous = previous;
    node
}

impl<'a, S> ChainNode<'a, S> {
    /// The node after this one.
    fn after(&self) -> Option<&'a Self> {
        // SAFETY: null, or a node that the chain of this one borrows for `'a`; see `ChainTail::append`.
        unsafe { self.next.load(Acquire).cast::<Self>().as_ref() }
    }

    /// The node before this one.
    fn before(&self) -> Option<&'a Self> {
        // SAFETY: the node that this one was appended to, borrowed for as long.
        self.previous.map(|node| unsafe { node.cast::<Self>().as_ref() })
    }
}

impl<'a, S> ChainTail<'a, S> {
    /// Appends a node, which is the last one then.
    ///
    /// No segment can be pushed to the node before it any more.
    pub fn append(&mut self, node: &'a mut ChainNode<'_, S>) {
        let node = link(node, Some(NonNull::from(self.last).cast()));
        // What was pushed before is seen by whoever sees the node.
        self.last.next.store(core::ptr::from_ref(node).cast_mut().cast(), Release);
        self.last = node;
    }

    /// Appends a segment to the last node.
    ///
    /// # Errors
    ///
    /// Gives the segment back if the node does not [grow](ChainNode::growing), or is full.
    ///
    /// ```
    /// use iov_iter::{IoVec, segment::{Chain, ChainNode, ChainSlots}};
    ///
    /// let mut slots = ChainSlots::<_, 1>::new();
    /// let mut node = ChainNode::growing(&mut slots);
    /// let (chain, mut tail) = Chain::new(&mut node);
    /// assert!(tail.push(IoVec::new(0x1000, 4)).is_ok());
    /// assert!(tail.push(IoVec::new(0x2000, 4)).is_err());
    /// assert_eq!(chain.nodes().next().unwrap().segments(), [IoVec::new(0x1000, 4)]);
    /// ```
    pub fn push(&mut self, segment: S) -> Result<(), S> {
        let NodeSegments::Growing { slots, capacity, used } = &self.last.segments else {
            return Err(segment);
        };
        let index = used.load(Relaxed);
        if index >= *capacity {
            return Err(segment);
        }
        // SAFETY: a slot inside the capacity that nobody looks at, as it is past the first `used`; and this
        // is the only end of the chain.
        unsafe { slots.as_ptr().wrapping_add(index).write(segment) };
        used.store(index.wrapping_add(1), Release);
        Ok(())
    }
}

impl<S> Clone for Chain<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Chain<'_, S> {}

impl<S> fmt::Debug for Chain<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes()).finish()
    }
}

impl<S> fmt::Debug for ChainTail<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChainTail").field(self.last).finish()
    }
}

/// A node of a chain, and the number of segments in the nodes before it.
#[doc(hidden)]
pub struct ChainPlace<'a, S>(Option<(NodeRef<'a, S>, usize)>);

impl<S> Clone for ChainPlace<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for ChainPlace<'_, S> {}

impl<S> fmt::Debug for ChainPlace<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChainPlace").field(&self.0.map_or(0, |(_, index)| index)).finish()
    }
}

impl<S> Default for ChainPlace<'_, S> {
    /// The first node.
    fn default() -> Self {
        Self(None)
    }
}

impl<'a, S> Chain<'a, S> {
    fn at(&self, place: ChainPlace<'a, S>) -> (&'a ChainNode<'a, S>, usize) {
        let (node, index) = place.0.unwrap_or((self.head, 0));
        (node.get(), index)
    }

    /// The slices of segments from a place on, the first of them whole.
    pub(crate) fn slices_from(&self, place: ChainPlace<'a, S>) -> ChainSlices<'a, S> {
        ChainSlices(Some(self.at(place).0))
    }
}

/// The slices of segments of the nodes of a chain.
pub(crate) struct ChainSlices<'a, S>(Option<&'a ChainNode<'a, S>>);

impl<S> Clone for ChainSlices<'_, S> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<'a, S> Iterator for ChainSlices<'a, S> {
    type Item = &'a [S];

    fn next(&mut self) -> Option<&'a [S]> {
        let node = self.0?;
        // In this order: a node that has a next one grows no more.
        self.0 = node.after();
        Some(node.segments())
    }
}

impl<S> FusedIterator for ChainSlices<'_, S> {}

impl<'a, S: Segment> Segments for Chain<'a, S> {
    type Segment = S;
    type Node = ChainPlace<'a, S>;

    const CHAINED: bool = true;

    fn as_slice(&self) -> &[S] {
        self.head.get().segments()
    }

    fn segments_at(&self, place: Self::Node) -> &[S] {
        self.at(place).0.segments()
    }

    fn after(&self, place: Self::Node, seen: usize) -> Option<(Self::Node, usize)> {
        let (node, index) = self.at(place);
        // In this order: a node that has a next one grows no more.
        let next = node.after();
        let len = node.segments().len();
        if len > seen {
            return Some((place, seen));
        }
        next.map(|next| (ChainPlace(Some((NodeRef::new(next), index.wrapping_add(len)))), 0))
    }

    fn before(&self, place: Self::Node) -> Option<Self::Node> {
        let (node, index) = self.at(place);
        // The first node of a chain has none before it.
        let previous = node.before()?;
        let index = index.wrapping_sub(previous.segments().len());
        Some(ChainPlace(Some((NodeRef::new(previous), index))))
    }

    fn index_of(&self, place: Self::Node) -> usize {
        self.at(place).1
    }

    fn total(&self) -> usize {
        if !Self::EXISTS {
            return 0;
        }
        self.nodes().fold(0, |total: usize, node| total.saturating_add(node.segments().total()))
    }

    /// A count may be of bytes that are still to come.
    fn holds(&self, _count: usize) -> bool {
        true
    }

    fn is_same(&self, other: &Self) -> bool {
        self.head.node == other.head.node
    }
}

/// A chain of an [`IovIter`](crate::IovIter) of a host that [has them](Host::CHAINS).
///
/// For a host without chains there is no such list, and no machine code for walking it.
pub struct HostChain<'a, S, H> {
    chain: Chain<'a, S>,
    _host: PhantomData<fn() -> H>,
}

impl<'a, S, H: Host> HostChain<'a, S, H> {
    /// The same chain. A host without chains does not compile.
    #[inline]
    pub(crate) const fn new(chain: Chain<'a, S>) -> Self {
        const { assert!(H::CHAINS, "this host has no chains: see `Host::CHAINS`") }
        Self { chain, _host: PhantomData }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> Chain<'a, S> {
        self.chain
    }
}

impl<S, H> Clone for HostChain<'_, S, H> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, H> Copy for HostChain<'_, S, H> {}

impl<S, H> fmt::Debug for HostChain<'_, S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chain.fmt(f)
    }
}

impl<'a, S: Segment, H: Host> Segments for HostChain<'a, S, H> {
    type Segment = S;
    type Node = ChainPlace<'a, S>;

    const EXISTS: bool = H::CHAINS && S::EXISTS.0;
    const CHAINED: bool = true;

    #[inline]
    fn as_slice(&self) -> &[S] {
        self.chain.as_slice()
    }

    #[inline]
    fn segments_at(&self, place: Self::Node) -> &[S] {
        self.chain.segments_at(place)
    }

    fn after(&self, place: Self::Node, seen: usize) -> Option<(Self::Node, usize)> {
        self.chain.after(place, seen)
    }

    fn before(&self, place: Self::Node) -> Option<Self::Node> {
        self.chain.before(place)
    }

    fn index_of(&self, place: Self::Node) -> usize {
        self.chain.index_of(place)
    }

    fn total(&self) -> usize {
        if Self::EXISTS { self.chain.total() } else { 0 }
    }

    fn holds(&self, _count: usize) -> bool {
        true
    }

    fn is_same(&self, other: &Self) -> bool {
        self.chain.is_same(&other.chain)
    }
}
