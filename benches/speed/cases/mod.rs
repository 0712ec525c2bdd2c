//! The cases, by subject.

mod copy;
mod layouts;
mod shared;
mod sized_buffer;
mod stream;
mod user;
mod vectors;
mod views;
mod walk;

use crate::harness::Suite;

pub fn all(suite: &mut Suite) {
    copy::gather(suite);
    copy::scatter(suite);
    copy::calls(suite);
    copy::between(suite);
    shared::gather(suite);
    shared::scatter(suite);
    shared::fill(suite);
    shared::look(suite);
    shared::checksum(suite);
    user::user_memory(suite);
    user::checksum(suite);
    user::pages(suite);
    user::import(suite);
    walk::moving(suite);
    walk::queries(suite);
    vectors::fill(suite);
    vectors::look(suite);
    vectors::checksum(suite);
    vectors::lists(suite);
    views::peel(suite);
    views::access(suite);
    stream::put(suite);
    stream::get(suite);
    sized_buffer::append(suite);
    sized_buffer::cut(suite);
    sized_buffer::read(suite);
}
