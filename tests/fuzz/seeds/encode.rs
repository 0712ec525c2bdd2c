//! Bytes that `arbitrary` decodes to a given value.

use super::bodies::{discard, import, sized_buffer};

pub trait Encode {
    fn encode(&self, to: &mut Vec<u8>);
}

macro_rules! encode_integers {
    ($($int:ty),*) => {
        $(
            impl Encode for $int {
                fn encode(&self, to: &mut Vec<u8>) {
                    to.extend(self.to_le_bytes());
                }
            }
        )*
    };
}

encode_integers!(u8, u16, u32, i8, i16);

impl Encode for bool {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
}

impl<A: Encode, B: Encode> Encode for (A, B) {
    fn encode(&self, to: &mut Vec<u8>) {
        self.0.encode(to);
        self.1.encode(to);
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, to: &mut Vec<u8>) {
        self.is_some().encode(to);
        self.iter().for_each(|value| value.encode(to));
    }
}

impl<T: Encode> Encode for Vec<T> {
    /// In front of each element stands that there is one.
    fn encode(&self, to: &mut Vec<u8>) {
        for element in self {
            true.encode(to);
            element.encode(to);
        }
        false.encode(to);
    }
}

/// A number in the part of all numbers that belongs to this variant.
fn variant(name: &str, names: &[&str]) -> u32 {
    let index = names.iter().position(|other| *other == name).unwrap() as u64;
    (index << 32).div_ceil(names.len() as u64) as u32
}

/// The variants of an enumeration, in order, and names for their fields.
macro_rules! encode_variants {
    ($type:ty { $($name:ident $(($($field:ident),*))?,)* }) => {
        impl Encode for $type {
            fn encode(&self, to: &mut Vec<u8>) {
                let names = [$(stringify!($name)),*];
                match self {
                    $(Self::$name $(($($field),*))? => {
                        variant(stringify!($name), &names).encode(to);
                        $($($field.encode(to);)*)?
                    })*
                }
            }
        }
    };
}

encode_variants!(discard::Op {
    Front(len),
    Back(len),
    UndoableFront(len),
    UndoableBack(len),
    Undo(number),
    UndoForeign(len),
    Slice(offset, len),
    Scope,
    End(keep),
});

encode_variants!(sized_buffer::Op {
    Write(at, len, first),
    Append(len, first),
    Read(at, len),
    SetLen(len),
    Reserve(len),
    SetLimit(len),
    Clone,
    Shrink,
    Seek(at),
    SeekFromHere(by),
    SeekFromEnd(by),
    ChannelWrite(one, other, first),
    ChannelRead(len),
});

encode_variants!(sized_buffer::Place { Near(at), End(more), Border(third, more), Last(less), });

encode_variants!(import::Limit { BehindTheArray(room), ThirtyTwoBits, Usual, });

impl Encode for discard::Input {
    fn encode(&self, to: &mut Vec<u8>) {
        self.places.encode(to);
        self.ops.encode(to);
    }
}

impl Encode for import::Input<'_> {
    fn encode(&self, to: &mut Vec<u8>) {
        self.compat.encode(to);
        self.count.encode(to);
        self.place.encode(to);
        self.limit.encode(to);
        self.bad.encode(to);
        self.times.encode(to);
        to.extend(self.bytes);
    }
}
