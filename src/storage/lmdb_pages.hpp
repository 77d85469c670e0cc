// src/storage/lmdb_pages.hpp — data.mdb read as plain bytes, each page judged before it is believed.
//
// LMDB follows the offsets in its pages unchecked: a bit that rots there may end the process. So whoever wants to know
// whether a file is sound, or what can still be read of one that is not, reads it here, where nothing is mapped and
// nothing is trusted. What is wrong is told to a sink, and all that can be reached beside it is read.
//
// A page of T stays as it is until transaction T + 3 begins, because LMDB takes what T + 1 let go of no earlier. So
// what was read beside a writer is right when the newest transaction afterwards is at most one above.
//
// Thread safety: none; each owner uses its own.
// Source: the page layout of LMDB 0.9 on 64-bit machines (mdb.c: MDB_page, MDB_node, MDB_db, MDB_meta).
#pragma once

#include "kith/storage/file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// Told of each thing that is wrong: the byte of the file, and what is there instead of what.
using DamageSink = std::function<void(std::uint64_t offset, const std::string& what)>;

/// What LMDB stores of a table.
struct LmdbTable {
    std::uint16_t flags = 0;
    std::uint16_t depth = 0;
    std::uint64_t branch_pages = 0;
    std::uint64_t leaf_pages = 0;
    std::uint64_t overflow_pages = 0;
    std::uint64_t entries = 0;
    std::uint64_t root = 0;
};

struct LmdbMeta {
    std::uint32_t page_bytes = 0;
    std::uint64_t last_page = 0;
    std::uint64_t transaction = 0;
    LmdbTable free_pages;
    LmdbTable main;
};

/// One entry of a table; the views die when the visitor returns.
struct LmdbEntry {
    std::string_view key;
    std::string_view value;
    std::uint64_t offset = 0;  // of the entry in the file
    bool is_table = false;     // the value is the record of a table
};

/// How the keys of a table are ordered.
enum class LmdbOrder : std::uint8_t { bytes, numbers };

class LmdbFile {
public:
    /// Throws: Errc::io.
    explicit LmdbFile(const std::filesystem::path& path);

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint64_t pages_read() const noexcept { return pages_read_; }

    /// The meta page of that number, 0 or 1; nothing when it cannot be one.
    /// Throws: Errc::io, as all that read do.
    [[nodiscard]] std::optional<LmdbMeta> meta(unsigned number, const DamageSink& damaged) const;

    /// Begins a new reading, of what `meta` leads to: no page has been met yet.
    void begin(const LmdbMeta& meta);

    /// Hands each entry of a table to `visit` in the order of its keys, and checks the whole tree: page numbers, kinds,
    /// bounds, order of keys in and across pages, long values, depth and counts, and that no page is met twice.
    /// Requires: begin() came before.
    void walk(const LmdbTable& table, LmdbOrder order, const std::function<void(const LmdbEntry&)>& visit,
              const DamageSink& damaged);

    /// Checks that no free page is in use and none is free twice.
    /// Requires: every table was walked since begin().
    void check_free_pages(const DamageSink& damaged);

    /// Hands every entry to `visit` that a page holds which no walk since begin() has met: of pages that the way to is
    /// lost, of free pages, of damaged ones. Only a checksum can tell what is right among them.
    void salvage(const std::function<void(const LmdbEntry&)>& visit) const;

    /// The tables that a leaf page anywhere in the file names, as a meta page's main table would: for finding the way
    /// to the tables where no meta page leads there.
    /// Shape: one root a candidate.
    [[nodiscard]] std::vector<LmdbTable> find_main_tables(std::uint32_t page_bytes,
                                                          const std::vector<std::string_view>& names) const;

    /// The record of a table from an entry's value; nothing when it cannot be one.
    [[nodiscard]] static std::optional<LmdbTable> table_of(std::string_view value);

private:
    struct Walk;

    [[nodiscard]] std::string read(std::uint64_t offset, std::size_t count) const;
    bool take(std::uint64_t first, std::uint64_t count, std::uint64_t from, const DamageSink& damaged);
    void walk_page(Walk& walk, std::uint64_t number, unsigned depth, std::optional<std::string_view> least,
                   std::optional<std::string_view> most, std::uint64_t from);
    void visit_entry(Walk& walk, LmdbEntry entry, bool is_long, std::uint32_t value_bytes);

    File file_;
    std::uint64_t size_;                    // when it was opened
    std::uint64_t page_bytes_ = 0;          // since begin()
    std::uint64_t last_page_ = 0;           // since begin()
    std::uint64_t transaction_ = 0;         // since begin()
    LmdbTable free_pages_;                  // since begin()
    std::vector<bool> met_;                 // met_[page]: in use, for pages up to last_page_
    mutable std::uint64_t pages_read_ = 0;  // for reports
};

}  // namespace kith::inline v0::detail
