//! The table of C names is complete, and each of its rows leads where a search leads.

#![cfg(not(miri))]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What Linux's `iov_iter` offers its users, of the kinds that this crate has.
const LINUX: &str = "
    iterate_iovec iterate_kvec iterate_bvec iterate_ubuf iterate_all_kinds iterate_and_advance
    iterate_and_advance2 iterate_and_advance_kernel
    iov_iter_init iov_iter_kvec iov_iter_bvec iov_iter_ubuf iov_iter_discard
    copy_to_iter _copy_to_iter copy_to_iter_full copy_mc_to_iter _copy_mc_to_iter
    copy_from_iter _copy_from_iter copy_from_iter_full copy_from_iter_nocache
    _copy_from_iter_nocache copy_from_iter_full_nocache copy_from_iter_flushcache
    _copy_from_iter_flushcache hash_and_copy_to_iter iov_iter_zero
    csum_and_copy_from_iter csum_and_copy_from_iter_full csum_and_copy_to_iter
    copy_page_to_iter copy_page_from_iter copy_page_to_iter_iovec copy_page_from_iter_iovec
    copy_page_to_iter_nofault copy_page_from_iter_atomic
    copy_folio_to_iter copy_folio_from_iter copy_folio_from_iter_atomic
    iov_iter_copy_from_user_atomic memcpy_from_page memcpy_to_page memzero_page
    iov_iter_fault_in_readable iov_iter_fault_in_multipages_readable
    fault_in_iov_iter_readable fault_in_iov_iter_writeable
    iov_iter_advance iov_iter_revert iov_iter_single_seg_count iov_iter_count iov_iter_truncate
    iov_iter_reexpand iov_iter_save_state iov_iter_restore iov_length iov_iter_iovec iov_for_each
    iter_iov iter_iov_addr iter_iov_len
    iov_iter_alignment iov_iter_is_aligned iov_iter_gap_alignment iov_iter_npages
    iov_iter_npages_cap iov_iter_rw iov_iter_type iter_is_iovec iter_is_ubuf iov_iter_is_kvec
    iov_iter_is_bvec iov_iter_is_discard user_backed_iter
    iov_iter_get_pages iov_iter_get_pages2 iov_iter_get_pages_alloc iov_iter_get_pages_alloc2
    get_pages_array iov_iter_extract_pages iov_iter_extract_will_pin extract_iter_to_sg
    bvec_set_page bvec_set_folio memcpy_from_bvec memcpy_to_bvec memzero_bvec for_each_bvec for_each_mp_bvec
    bvec_virt bvec_phys bvec_kmap_local memset_page memcpy_page
    memcpy_from_folio memcpy_to_folio folio_fill_tail zero_user_segments copy_struct_from_user
    copy_struct_to_user sg_copy_to_buffer sg_pcopy_to_buffer sg_zero_buffer sg_miter_next sg_nents_for_len
    sg_split __copy_from_user_inatomic_nocache copy_from_user_inatomic_nontemporal
    __copy_from_user_flushcache copy_from_user_flushcache iov_step_f iov_ustep_f iov_iter_for_each_range
    iterate_discard iov_iter_extraction_t io_import_reg_buf io_import_reg_vec dax_copy_to_iter
    dax_copy_from_iter vringh_iov vringh_kiov skb_copy_datagram_iter IovIterSource IovIterDest
    ITER_XARRAY iov_iter_xarray iov_iter_is_xarray iterate_xarray
    ITER_BVECQ ITER_FOLIOQ bvecq folio_queue iov_iter_bvec_queue iov_iter_folio_queue iov_iter_is_bvecq
    iov_iter_is_folioq iterate_bvecq iterate_folioq
    iov_iter_extract_bvecs netfs_limit_iter bvec_try_merge_page zone_device_pages_have_same_pgmap
    dup_iter import_iovec __import_iovec compat_import_iovec import_single_range import_ubuf
    iovec_from_user copy_iovec_from_user copy_compat_iovec_from_user simple_read_from_buffer
";

/// What QEMU's `util/iov` offers its users, and the C names of the types.
const QEMU_IOV: &str = "
    iov_size iov_from_buf iov_from_buf_full iov_to_buf iov_to_buf_full iov_memset iov_copy
    do_send_recv iov_send_recv iov_send iov_recv iov_hexdump
    qemu_iovec_init qemu_iovec_init_external qemu_iovec_init_buf QEMU_IOVEC_INIT_BUF qemu_iovec_buf
    qemu_iovec_add qemu_iovec_concat_iov qemu_iovec_concat iov_skip_offset qiov_slice
    qemu_iovec_slice qemu_iovec_subvec_niov qemu_iovec_init_extended qemu_iovec_init_slice
    qemu_iovec_is_zero qemu_iovec_destroy qemu_iovec_reset qemu_iovec_to_buf qemu_iovec_from_buf
    qemu_iovec_memset qemu_iovec_compare IOVectorSortElem sortelem_cmp_src_base
    sortelem_cmp_src_index qemu_iovec_clone qemu_iovec_discard_back
    iov_discard_front_undoable iov_discard_front iov_discard_back_undoable iov_discard_back
    iov_discard_undo QEMUIOVector IOVDiscardUndo
";

/// What the three generations of QEMU's `QEMUFile` offer their users, and its later additions.
const QEMU_FILE: &str = "
    qemu_file_mode_is_not_valid qemu_fopen_ops qemu_file_new_output qemu_file_new_input
    qemu_file_get_return_path qemu_file_set_hooks qemu_file_get_ioc qemu_get_fd
    qemu_file_set_blocking qemu_file_shutdown qemu_fclose
    qemu_file_get_error qemu_file_set_error qemu_file_set_error_obj qemu_file_get_error_obj
    qemu_file_get_error_obj_any qemu_file_is_writable
    qemu_put_byte qemu_put_buffer qemu_put_buffer_async add_to_iovec add_buf_to_iovec qemu_fflush
    qemu_iovec_release_ram qemu_fill_buffer qemu_peek_buffer qemu_get_buffer
    qemu_get_buffer_in_place qemu_peek_byte qemu_get_byte qemu_file_skip qemu_file_get_to_fd
    qemu_put_ubyte qemu_put_be16 qemu_put_be32 qemu_put_be64 qemu_put_sbe16 qemu_put_sbe32
    qemu_put_sbe64 qemu_put_8s qemu_put_s8s qemu_put_be16s qemu_put_be32s qemu_put_be64s
    qemu_put_sbe16s qemu_put_sbe32s qemu_put_sbe64s
    qemu_get_ubyte qemu_get_be16 qemu_get_be32 qemu_get_be64 qemu_get_sbe16 qemu_get_sbe32
    qemu_get_sbe64 qemu_get_8s qemu_get_s8s qemu_get_be16s qemu_get_be32s qemu_get_be64s
    qemu_get_sbe16s qemu_get_sbe32s qemu_get_sbe64s
    qemu_get_counted_string qemu_put_counted_string
    qemu_ftell qemu_ftell_fast qemu_update_position qemu_file_transferred
    qemu_file_total_transferred qemu_file_total_transferred_fast qemu_file_credit_transfer
    qemu_file_rate_limit qemu_file_get_rate_limit qemu_file_set_rate_limit
    qemu_file_reset_rate_limit qemu_file_acct_rate_limit
    ram_control_before_iterate ram_control_after_iterate ram_control_load_hook
    ram_control_save_page
    qemu_put_compression_data qemu_compress_data qemu_put_qemu_file qemu_file_buffer_empty
    qsb_create qsb_free qsb_get_length qsb_set_length qsb_get_iovec qsb_get_buffer qsb_grow
    qsb_write_at qsb_clone qemu_bufopen buf_get_buffer buf_put_buffer buf_close buf_read_ops
    buf_write_ops qemu_buf_get
    qemu_put_sbyte qemu_get_sbyte migration_rate_exceeded
    qemu_file_is_seekable qemu_put_buffer_at qemu_get_buffer_at qemu_set_offset qemu_get_offset
    qemu_file_put_fd qemu_file_get_fd QEMUFile QEMUSizedBuffer QIOChannel
";

fn manifest(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the table: C name, and the last part of the Rust path.
fn table() -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(manifest("src/c_names.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        // Since when, or until when, may follow the name.
        let (c_name, rest) = line.strip_prefix("| `")?.split_once('`')?;
        let (_, rest) = rest.split_once("| [`")?;
        let (shown, rest) = rest.split_once("`](crate::")?;
        let target = rest.strip_suffix(") |")?;
        let last = target.rsplit("::").next()?;
        assert!(target.ends_with(shown), "{shown} is not where its link leads, {target}");
        Some((c_name.to_owned(), last.to_owned()))
    });
    rows.collect()
}

/// The names that a search finds: every `doc(alias)` with the item that carries it, and every
/// item with its own name.
fn found_by_search() -> (BTreeSet<(String, String)>, BTreeSet<String>) {
    fn visit(
        folder: &Path,
        aliases: &mut BTreeSet<(String, String)>,
        items: &mut BTreeSet<String>,
    ) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, aliases, items);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                scan(&fs::read_to_string(path).unwrap(), aliases, items);
            }
        }
    }
    let (mut aliases, mut items) = Default::default();
    visit(Path::new(&manifest("src")), &mut aliases, &mut items);
    (aliases, items)
}

fn scan(source: &str, aliases: &mut BTreeSet<(String, String)>, items: &mut BTreeSet<String>) {
    let mut pending = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some((_, rest)) = line.split_once("doc(alias = \"") {
            pending.push(rest.split('"').next().unwrap().to_owned());
        } else if let Some(row) = table_row(line) {
            for (name, row_aliases) in row {
                items.insert(name.to_owned());
                aliases
                    .extend(row_aliases.iter().map(|alias| (alias.to_string(), name.to_owned())));
            }
        } else if line.is_empty() || line.starts_with("//") || line.starts_with('#') {
            continue;
        } else if let Some(name) = item_name(line) {
            items.insert(name.to_owned());
            aliases.extend(pending.drain(..).map(|alias| (alias, name.to_owned())));
        } else {
            assert!(pending.is_empty(), "no item after the alias {pending:?}, but {line}");
        }
    }
}

/// The names in a row of a table of items for a macro, `i8, ...: put to, "alias"; get from;`, each
/// with its aliases.
fn table_row(line: &str) -> Option<Vec<(&str, Vec<&str>)>> {
    let (int, rest) = line.split_once(", \"")?;
    let (_, items) = rest.split_once("\": ")?;
    let is_integer = int.strip_prefix(['i', 'u'])?.bytes().all(|byte| byte.is_ascii_digit());
    is_integer.then(|| items.split(';').filter_map(row_item).collect())
}

/// The name and the aliases in one part of such a row.
fn row_item(item: &str) -> Option<(&str, Vec<&str>)> {
    // Odd parts stand between quotes.
    let aliases = item.split('"').skip(1).step_by(2).collect();
    Some((item.split_whitespace().next()?, aliases))
}

/// The name of the item, enum variant or flag that a line declares.
fn item_name(line: &str) -> Option<&str> {
    let keywords = [
        "pub",
        "pub(crate)",
        "pub(super)",
        "const",
        "unsafe",
        "fn",
        "struct",
        "enum",
        "trait",
        "type",
        "static",
        "mod",
    ];
    let mut words = line.split_whitespace().skip_while(|word| keywords.contains(word));
    let name = words.next()?.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    let declares = keywords.iter().any(|keyword| line.starts_with(&format!("{keyword} ")));
    let variant = name.starts_with(char::is_uppercase) && !line.contains(" => ");
    (!name.is_empty() && (declares || variant)).then_some(name)
}

/// The names of a list that the table does not have.
fn not_in_the_table(list: &str) -> Vec<&str> {
    let names: BTreeSet<String> = table().into_iter().map(|(c_name, _)| c_name).collect();
    list.split_whitespace().filter(|name| !names.contains(*name)).collect()
}

#[test]
fn the_table_has_every_function_of_linux() {
    assert_eq!(not_in_the_table(LINUX), [""; 0]);
}

#[test]
fn the_table_has_every_function_of_qemu_iov() {
    assert_eq!(not_in_the_table(QEMU_IOV), [""; 0]);
}

#[test]
fn the_table_has_every_function_of_qemu_file() {
    assert_eq!(not_in_the_table(QEMU_FILE), [""; 0]);
}

#[test]
fn every_row_is_found_by_a_search() {
    let (aliases, items) = found_by_search();
    for (c_name, rust) in table() {
        let found = aliases.contains(&(c_name.clone(), rust.clone()))
            || (c_name == rust && items.contains(&rust));
        assert!(found, "a search for {c_name} does not find {rust}");
    }
}

#[test]
fn every_alias_has_a_row() {
    let table = table();
    let (aliases, _) = found_by_search();
    // Rust's own word for what this crate calls otherwise.
    let rust = ("len".to_owned(), "remaining".to_owned());
    let missing: Vec<_> = aliases.difference(&table).filter(|alias| **alias != rust).collect();
    assert!(missing.is_empty(), "not in src/c_names.md: {missing:?}");
}

#[test]
fn the_scanner_finds_what_it_should() {
    let (mut aliases, mut items) = Default::default();
    scan(
        "#[doc(alias = \"c_one\")]\n#[inline]\npub const fn one(&self) -> u8 {\n#[doc(alias = \"C_TWO\")]\nTwo(u8),\nlet x = 1;",
        &mut aliases,
        &mut items,
    );
    scan(
        "i8, \"the only\": put_x to_be_bytes, \"c_put\", \"c_puts\"; get_x from_be_bytes;",
        &mut aliases,
        &mut items,
    );
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        aliases,
        [
            pair("C_TWO", "Two"),
            pair("c_one", "one"),
            pair("c_put", "put_x"),
            pair("c_puts", "put_x")
        ]
        .into()
    );
}
