//! From the loader to Rust: what happens before [`main`](crate::main).
//!
//! ```text
//!   loader ── ELF note "Xen", type 18 ──► entry    32 bits, flat segments, no paging, no stack
//!                                           │      page tables, PAE, long mode, paging
//!                                           ▼
//!                                         long     64 bits, data segments, stack
//!                                           │
//!                                           ▼
//!                                         main     Rust
//!
//!   virtual = physical   0 ─────────────── 3 GiB ─────────── 4 GiB
//!                        memory, cached      devices, uncached
//! ```
//!
//! There are no interrupts and no exception handlers: a fault resets the machine. The memory of the
//! tables and of the stack is zero, because the loader clears what the image does not hold.

core::arch::global_asm!(
    r#"
    .section .note.pvh, "a", @note
    .balign 4
    .long 4                             // length of the owner
    .long 8                             // length of the address
    .long 18                            // the physical address of the entry point
    .asciz "Xen"
    .quad entry

    .section .text.entry, "ax", @progbits
    .code32
    .global entry
entry:
    cli
    cld

    // One top table, one table below it, and four directories of 512 pages of 2 MiB.
    mov eax, offset directory_pointers
    or eax, 0x3                         // present, writable
    mov dword ptr [top_table], eax
    mov eax, offset directories
    or eax, 0x3
    mov edi, offset directory_pointers
    mov ecx, 4
2:
    mov dword ptr [edi], eax
    add eax, 0x1000
    add edi, 8
    dec ecx
    jnz 2b

    mov eax, 0x83                       // present, writable, 2 MiB
    mov edi, offset directories
    mov ecx, 4 * 512
3:
    cmp eax, 0xc0000083
    jne 4f
    or eax, 0x18                        // from 3 GiB on: not cached
4:
    mov dword ptr [edi], eax
    add eax, 0x200000
    add edi, 8
    dec ecx
    jnz 3b

    mov eax, cr4
    or eax, 0x20                        // PAE: entries of 64 bits
    mov cr4, eax
    mov eax, offset top_table
    mov cr3, eax
    mov ecx, 0xc0000080                 // EFER
    rdmsr
    or eax, 0x100                       // long mode, once paging is on
    wrmsr
    mov eax, cr0
    or eax, 0x80000000                  // paging
    mov cr0, eax

    lgdt [descriptor_table_pointer]
    mov esp, offset stack_top
    push 0x08
    mov eax, offset long
    push eax
    retf

    .code64
long:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov rsp, offset stack_top
    call {main}
    ud2

    .section .rodata.boot, "a", @progbits
    .balign 8
descriptor_table:
    .quad 0
    .quad 0x00209b0000000000            // 0x08: code, 64 bits
    .quad 0x0000930000000000            // 0x10: data
descriptor_table_pointer:
    .short . - descriptor_table - 1
    .long descriptor_table

    .section .bss.boot, "aw", @nobits
    .balign 4096
top_table:
    .skip 4096
directory_pointers:
    .skip 4096
directories:
    .skip 4 * 4096
    .skip 64 * 1024
stack_top:
"#,
    main = sym crate::main,
);
