// src/collection/forward_reader.cpp — the way to the tables, and the checksums of what they hold.
#include "collection/forward_reader.hpp"

#include "collection/layout.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/log_format.hpp"
#include "storage/lmdb_page.hpp"

#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

namespace {

const DamageSink ignore = [](std::uint64_t, const std::string&) {};

/// The number of the batch before the first that the log holds, which every checkpoint in use contains.
std::uint64_t sequence_before_log(const std::filesystem::path& collection) {
    std::uint64_t sequence = 0;
    static_cast<void>(attempt([&] {
        const std::vector<LogFile> files = list_log_files(collection / log_folder);
        if (!files.empty()) sequence = files.front().first_sequence - 1;
    }));
    return sequence;
}

/// The value without its checksum; nothing when that is wrong.
std::optional<std::string_view> right_value(Table table, std::string_view key, std::string_view stored) {
    if (stored.size() < value_checksum_bytes) return std::nullopt;
    const std::string_view value = stored.substr(0, stored.size() - value_checksum_bytes);
    std::uint32_t crc = 0;
    static_cast<void>(ByteReader(stored.substr(value.size())).u32(crc));
    return crc == value_checksum(table, key, value) ? std::optional(value) : std::nullopt;
}

}  // namespace

ForwardReader::ForwardReader(const std::filesystem::path& collection, const DamageSink& damaged)
    : path_(collection / forward_folder / forward_file), file_(path_) {
    const std::array<std::optional<LmdbMeta>, 2> metas{file_.meta(0, damaged), file_.meta(1, damaged)};
    bool whole = metas[0].has_value() && metas[1].has_value();
    if (whole) {
        const bool even_is_newer = metas[0]->transaction >= metas[1]->transaction;
        const LmdbMeta& newer = even_is_newer ? *metas[0] : *metas[1];
        const LmdbMeta& older = even_is_newer ? *metas[1] : *metas[0];
        whole = newer.page_bytes == older.page_bytes && newer.transaction - older.transaction <= 1;
        if (!whole) damaged(newer.page_bytes, "the two meta pages do not follow one another");
        meta_ = newer;
        free_pages_known_ = true;
    }
    if (whole) {
        file_.begin(meta_);
        tables_ = tables_of(meta_.main, [&](std::uint64_t offset, const std::string& what) {
            whole = false;
            damaged(offset, what);
        });
    }
    if (!whole) search(metas, sequence_before_log(collection));
}

/// Finds the newest tables under which everything is right; failing that, the newest. A checkpoint that the log does not
/// follow on is not the last one.
void ForwardReader::search(const std::array<std::optional<LmdbMeta>, 2>& metas, std::uint64_t least_sequence) {
    std::vector<LmdbMeta> candidates;
    std::uint32_t page_bytes = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
    for (const std::optional<LmdbMeta>& meta : metas) {
        if (!meta.has_value()) continue;
        candidates.push_back(*meta);
        page_bytes = meta->page_bytes;
    }
    LmdbMeta anywhere;  // leads nowhere, and lets every page be read
    anywhere.page_bytes = page_bytes;
    anywhere.last_page = std::max<std::uint64_t>(file_.size() / page_bytes, 2) - 1;
    anywhere.main.root = lmdb_no_page;
    const std::vector<std::string_view> names(table_names.begin(), table_names.end());
    for (const LmdbTable& main : file_.find_main_tables(page_bytes, names)) {
        candidates.push_back(anywhere);
        candidates.back().main = main;
    }
    using Rank = std::tuple<std::uint64_t, std::uint32_t, std::uint64_t>;
    const auto rank_of = [](const StateRecord& state, std::uint64_t transaction) {
        return Rank{state.applied_sequence, state.next_segment, transaction};
    };
    std::vector<std::pair<Rank, LmdbMeta>> ranked;
    for (const LmdbMeta& meta : candidates) {
        file_.begin(meta);
        const std::optional<StateRecord> state = state_of(tables_of(meta.main, ignore));
        if (state.has_value() && state->applied_sequence >= least_sequence) {
            ranked.emplace_back(rank_of(*state, meta.transaction), meta);
        }
    }
    std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    const auto sound =
        std::find_if(ranked.begin(), ranked.end(), [&](const auto& each) { return is_sound(each.second); });
    free_pages_known_ = false;
    meta_ = sound != ranked.end() ? sound->second : ranked.empty() ? anywhere : ranked[0].second;
    if (sound == ranked.end()) {
        file_.begin(anywhere);
        stray_state_ = find_stray_state();
        const bool is_newest =
            stray_state_.has_value() && (ranked.empty() || rank_of(*stray_state_, 0) > ranked[0].first);
        if (is_newest) {
            meta_ = anywhere;
        } else {
            stray_state_.reset();
        }
    }
    file_.begin(meta_);
    tables_ = tables_of(meta_.main, ignore);
}

std::optional<StateRecord> ForwardReader::find_stray_state() const {
    std::optional<StateRecord> newest;
    salvage(state_records, [&](std::string_view name, std::string_view record) {
        if (name != state_name) return;
        static_cast<void>(attempt([&] {
            StateRecord state = decode_state(record, path_);
            const bool is_newer = !newest.has_value() || std::pair(state.applied_sequence, state.next_segment) >
                                                             std::pair(newest->applied_sequence, newest->next_segment);
            if (is_newer) newest = std::move(state);
        }));
    });
    return newest;
}

void ForwardReader::begin() {
    file_.begin(meta_);
    static_cast<void>(tables_of(meta_.main, ignore));
}

ForwardReader::Tables ForwardReader::tables_of(const LmdbTable& main, const DamageSink& damaged) {
    Tables tables;
    file_.walk(
        main, LmdbOrder::bytes,
        [&](const LmdbEntry& entry) {
            const auto name = std::find(table_names.begin(), table_names.end(), entry.key);
            const std::optional<LmdbTable> table = entry.is_table ? LmdbFile::table_of(entry.value) : std::nullopt;
            if (name == table_names.end() || !table.has_value() || table->flags != 0) {
                return damaged(entry.offset, "the list of tables holds something else");
            }
            tables[static_cast<std::size_t>(name - table_names.begin())] = table;
        },
        damaged);
    for (std::size_t table = 0; table < table_count; ++table) {
        if (!tables[table].has_value())
            damaged(0, std::string("no way leads to the table '") + table_names[table] + "'");
    }
    return tables;
}

std::optional<StateRecord> ForwardReader::state_of(const Tables& tables) {
    std::optional<StateRecord> state;
    if (!tables[state_records].has_value()) return state;
    const auto read = [&](const LmdbEntry& entry) {
        const std::optional<std::string_view> value = right_value(state_records, entry.key, entry.value);
        if (entry.key != state_name || !value.has_value()) return;
        static_cast<void>(attempt([&] { state = decode_state(*value, path_); }));
    };
    file_.walk(*tables[state_records], LmdbOrder::bytes, read, ignore);
    return state;
}

bool ForwardReader::is_sound(const LmdbMeta& meta) {
    bool sound = true;
    const auto fail = [&](std::uint64_t, const std::string&) { sound = false; };
    file_.begin(meta);
    const Tables tables = tables_of(meta.main, fail);
    for (unsigned table = 0; table < table_count && sound; ++table) {
        const auto check = [&](const LmdbEntry& entry) {
            sound = sound && right_value(static_cast<Table>(table), entry.key, entry.value).has_value();
        };
        if (tables[table].has_value()) file_.walk(*tables[table], LmdbOrder::bytes, check, fail);
    }
    return sound;
}

void ForwardReader::walk(Table table, const ValueVisitor& visit, const ValueDamageSink& damaged) {
    if (!tables_[table].has_value()) return;
    const auto check = [&](const LmdbEntry& entry) {
        const std::optional<std::string_view> value =
            entry.is_table ? std::nullopt : right_value(table, entry.key, entry.value);
        if (value.has_value()) return visit(entry.key, *value);
        damaged({entry.offset, printed_key(table, entry.key) + ": its checksum is wrong", entry.key, entry.value});
    };
    file_.walk(*tables_[table], LmdbOrder::bytes, check,
               [&](std::uint64_t offset, const std::string& what) { damaged({offset, what, {}, {}}); });
}

void ForwardReader::check_free_pages(const DamageSink& damaged) {
    if (free_pages_known_) file_.check_free_pages(damaged);
}

void ForwardReader::salvage(Table table, const ValueVisitor& visit) const {
    file_.salvage([&](const LmdbEntry& entry) {
        const std::optional<std::string_view> value = right_value(table, entry.key, entry.value);
        if (value.has_value()) visit(entry.key, *value);
    });
}

std::optional<std::uint64_t> ForwardReader::newest_transaction() const {
    std::optional<std::uint64_t> newest;
    for (const unsigned number : {0U, 1U}) {
        const std::optional<LmdbMeta> meta = file_.meta(number, ignore);
        if (meta.has_value()) newest = std::max(newest.value_or(0), meta->transaction);
    }
    return newest;
}

}  // namespace kith::inline v0::detail
