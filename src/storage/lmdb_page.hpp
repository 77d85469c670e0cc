// src/storage/lmdb_page.hpp — one page of an LMDB tree, taken apart and found to be possible or not.
//
// Thread safety: a value.
// Source: mdb.c of LMDB 0.9: MDB_page, MDB_node. LMDB keeps the entries of a page without gaps, so that they fill its
// upper end to the byte; that makes nearly every wrong offset or length visible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

// All numbers below are LMDB's, on disk, in the byte order of the machine.
inline constexpr std::size_t lmdb_page_header_bytes = 16;
inline constexpr std::size_t lmdb_table_bytes = 48;
inline constexpr std::uint64_t lmdb_no_page = ~std::uint64_t{0};
inline constexpr std::uint16_t lmdb_branch_page = 0x01;
inline constexpr std::uint16_t lmdb_leaf_page = 0x02;
inline constexpr std::uint16_t lmdb_overflow_page = 0x04;
inline constexpr std::uint16_t lmdb_meta_page = 0x08;

/// The number of type T at `offset`; 0 past the end.
template <class T>
T lmdb_number(std::string_view bytes, std::size_t offset) noexcept {
    T value = 0;
    if (offset <= bytes.size() && bytes.size() - offset >= sizeof(T)) {
        __builtin_memcpy(&value, bytes.data() + offset, sizeof(T));
    }
    return value;
}

struct LmdbNode {
    std::size_t offset = 0;  // in the page
    std::string_view key;
    std::uint64_t child = 0;        // of a branch
    std::uint32_t value_bytes = 0;  // of a leaf
    bool is_long = false;           // `value` is the number of the page where the value begins
    bool is_table = false;          // `value` is the record of a table
    std::string_view value;         // of a leaf, in the page
};

class LmdbPage {
public:
    struct Trouble {
        std::size_t offset = 0;  // in the page
        std::string what;
    };

    /// Takes apart the page `number`, which is all of `bytes`.
    LmdbPage(std::string bytes, std::uint64_t number);
    LmdbPage(const LmdbPage&) = delete;
    LmdbPage& operator=(const LmdbPage&) = delete;

    /// Why it cannot be a page of a tree; nothing when it can.
    [[nodiscard]] const std::optional<Trouble>& trouble() const noexcept { return trouble_; }
    [[nodiscard]] bool is_leaf() const noexcept { return is_leaf_; }
    /// In order; of a page in trouble those that lie in it, for who has checksums to judge them by.
    [[nodiscard]] const std::vector<LmdbNode>& nodes() const noexcept { return nodes_; }

private:
    void read_header(std::uint64_t number);
    void read_nodes();
    [[nodiscard]] bool read_node(std::size_t slot);
    void fail(std::size_t offset, std::string what);

    std::string bytes_;
    bool is_leaf_ = false;
    std::size_t lower_ = 0;  // where the offsets of the nodes end
    std::size_t upper_ = 0;  // where the first node begins
    std::vector<LmdbNode> nodes_;
    std::optional<Trouble> trouble_;
};

}  // namespace kith::inline v0::detail
