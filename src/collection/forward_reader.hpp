// src/collection/forward_reader.hpp — rows, keys and the state record from data.mdb as it lies there, damaged or not.
//
// Where a meta page is damaged the way to the tables is looked for in the whole file: the page that names the tables
// of the last commit is still there, and so is all it leads to. Of several such pages the one that leads to the newest
// state record under which everything is right is the last commit. Where that page is the damaged one, a state record
// that stands anywhere in the file says all the same which rows count.
//
// Thread safety: none; each owner uses its own.
#pragma once

#include "kith/collection/state_record.hpp"
#include "storage/lmdb_pages.hpp"
#include "storage/stored_value.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

/// One value that is right; the views die when the visitor returns.
using ValueVisitor = std::function<void(std::string_view key, std::string_view value)>;

/// A value that is wrong, or a page; then key and stored bytes are empty.
struct ValueDamage {
    std::uint64_t offset = 0;
    std::string what;
    std::string_view key;
    std::string_view stored;  // the value with its checksum
};
using ValueDamageSink = std::function<void(const ValueDamage&)>;

class ForwardReader {
public:
    /// Opens data.mdb of a collection and finds the way to the tables. What is wrong on it is told to `damaged`.
    /// Throws: Errc::io.
    ForwardReader(const std::filesystem::path& collection, const DamageSink& damaged);

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return file_.size(); }

    /// Whether a way to the table was found.
    [[nodiscard]] bool has(Table table) const noexcept { return tables_[table].has_value(); }

    /// Where no way was found: the newest state record in the file.
    [[nodiscard]] const std::optional<StateRecord>& stray_state() const noexcept { return stray_state_; }

    /// Begins a new pass over the tables, each of which is walked once in it.
    void begin();

    /// Hands each value of a table whose checksum is right to `visit`, in the order of keys.
    void walk(Table table, const ValueVisitor& visit, const ValueDamageSink& damaged);

    /// Checks the list of free pages. Requires: every table was walked since begin().
    void check_free_pages(const DamageSink& damaged);

    /// Hands to `visit` each value of that table, whose checksum is right, on pages that no walk since begin() has met.
    /// It may be of an older or of no transaction; a row is what it was all the same, for ids are not used twice.
    void salvage(Table table, const ValueVisitor& visit) const;

    /// The number of the newest transaction now; nothing when no meta page is right.
    [[nodiscard]] std::optional<std::uint64_t> newest_transaction() const;
    /// That of the transaction that is read.
    [[nodiscard]] std::uint64_t transaction() const noexcept { return meta_.transaction; }

private:
    using Tables = std::array<std::optional<LmdbTable>, table_count>;

    [[nodiscard]] Tables tables_of(const LmdbTable& main, const DamageSink& damaged);
    [[nodiscard]] std::optional<StateRecord> state_of(const Tables& tables);
    [[nodiscard]] bool is_sound(const LmdbMeta& meta);
    void search(const std::array<std::optional<LmdbMeta>, 2>& metas, std::uint64_t least_sequence);
    [[nodiscard]] std::optional<StateRecord> find_stray_state() const;

    std::filesystem::path path_;
    LmdbFile file_;
    LmdbMeta meta_;  // that leads to tables_, or would
    bool free_pages_known_ = false;
    Tables tables_;
    std::optional<StateRecord> stray_state_;
};

}  // namespace kith::inline v0::detail
