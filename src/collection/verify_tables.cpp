// src/collection/verify_tables.cpp — forward/data.mdb: every page, every value, and whether rows, keys and the state
// record agree.
//
// Keys are walked before rows, and leave the checksum of each key at the slot it leads to. So both tables are read once
// and in order, and four bytes a record suffice to tell that each key leads to its own record and each record has one.
#include "collection/examination.hpp"
#include "collection/layout.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/delete_bitmap.hpp"

#include <algorithm>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::uint64_t rows_between_checks = 4096;

/// What `act` raises about damage; anything else goes on.
template <class Act>
std::optional<Error> error_of(Act&& act) {
    const std::exception_ptr failed = attempt(act);
    std::optional<Error> error = as_error(failed);
    if (failed != nullptr && (!error.has_value() || error->code() != Errc::corrupt)) std::rethrow_exception(failed);
    return error;
}

class TableExaminer {
public:
    TableExaminer(Examination& all, ForwardReader& reader) : all_(all), reader_(reader) {}

    void run();

private:
    /// A damaged place in the table of rows, judged once it is known which records are lost.
    struct RowDamage {
        std::uint64_t offset;
        std::string what;
        std::optional<std::uint64_t> id;  // where a value is damaged and not a page
    };

    void read_state();
    void judge_state(std::uint64_t offset, const std::string& what, std::string_view record);
    void read_keys();
    void read_key(std::string_view key, std::string_view value);
    void read_rows();
    void read_row(std::string_view key, std::string_view row);
    void look_for_lost_rows();
    void report_rows();
    void report_keyless();
    [[nodiscard]] std::string names_of_lost(const std::set<std::uint64_t>& ids);

    void add(DamageKind kind, Loss loss, std::uint64_t offset, std::string what, std::string consequence) {
        all_.damage(kind, loss, reader_.path(), offset, std::move(what), std::move(consequence));
    }

    Examination& all_;
    ForwardReader& reader_;
    std::vector<RowDamage> row_damages_;
    bool keys_whole_ = true;
    std::uint64_t strange_rows_ = 0;  // of segments that the state record does not name
    std::uint64_t rows_read_ = 0;
};

void TableExaminer::run() {
    reader_.begin();
    read_state();
    read_keys();
    read_rows();
    reader_.check_free_pages([&](std::uint64_t offset, const std::string& what) {
        add(DamageKind::forward, Loss::derived, offset, what, "no record is lost; repair writes the file anew");
    });
    look_for_lost_rows();
    report_rows();
    report_keyless();
    for (const auto& [id, segment] : all_.slots) all_.report.records += segment.state.count - segment.state.deleted;
    if (strange_rows_ > 0) {
        all_.remark(DamageKind::leftover, reader_.path(),
                    std::to_string(strange_rows_) + " rows are of segments that the checkpoint does not hold",
                    "they take space until they are removed");
    }
}

void TableExaminer::read_state() {
    bool found = false;
    const auto read = [&](std::string_view key, std::string_view value) {
        if (key != state_name) return;
        found = true;
        const std::optional<Error> error = error_of([&] { all_.state = decode_state(value, reader_.path()); });
        if (error.has_value()) judge_state(0, error->what(), value);
    };
    reader_.walk(state_records, read, [&](const ValueDamage& damage) {
        found = true;
        const std::size_t bytes = std::max(damage.stored.size(), value_checksum_bytes) - value_checksum_bytes;
        judge_state(damage.offset, damage.what, damage.stored.substr(0, bytes));
    });
    if (!found && reader_.stray_state().has_value()) {
        found = true;
        all_.state = reader_.stray_state();
    }
    if (!found) judge_state(0, "the state record is missing", {});
    if (!all_.state.has_value()) return;
    if (all_.identity.has_value() && all_.state->collection != all_.identity->id) {
        add(DamageKind::state, Loss::records, 0, "it belongs to another collection",
            "all records of the last checkpoint are lost, unless the right file is put back");
    }
    for (const SegmentState& segment : all_.state->segments) {
        SegmentSlots slots{segment, std::vector<bool>(segment.count), std::vector<bool>(segment.count),
                           std::vector<std::uint32_t>(segment.count)};
        all_.slots.emplace(segment.id, std::move(slots));
    }
}

/// Says which part of a state record is wrong: its bitmaps have checksums of their own.
void TableExaminer::judge_state(std::uint64_t offset, const std::string& what, std::string_view record) {
    const std::optional<Error> error =
        as_error(attempt([&] { static_cast<void>(decode_state(record, reader_.path())); }));
    const bool is_bitmap = !record.empty() && error.has_value() &&
                           std::string_view(error->what()).find("delete bitmap") != std::string_view::npos;
    add(is_bitmap ? DamageKind::delete_bitmap : DamageKind::state, Loss::derived, offset,
        is_bitmap ? what + "; " + error->what() : what,
        "what the checkpoint holds can be told again from its keys and segments");
}

void TableExaminer::read_keys() {
    reader_.walk(
        keys, [&](std::string_view key, std::string_view value) { read_key(key, value); },
        [&](const ValueDamage& damage) {
            keys_whole_ = false;
            add(DamageKind::keys, Loss::derived, damage.offset, damage.what,
                "the rows hold their keys, from which it is made again");
        });
    keys_whole_ = keys_whole_ && reader_.has(keys);
}

void TableExaminer::read_key(std::string_view key, std::string_view value) {
    const auto wrong = [&](const std::string& what) {
        add(DamageKind::keys, Loss::derived, 0, "the key " + all_.schema.shown(key) + " " + what,
            "the rows hold their keys, from which it is made again");
    };
    std::uint64_t id = 0;
    ByteReader reader(value);
    if (!reader.u64(id) || reader.remaining() != 0) return wrong("leads to no id");
    if (!all_.state.has_value()) return;
    const RecordId record = RecordId::unpack(id);
    SegmentSlots* const segment = all_.live_slots(record);
    if (segment == nullptr) return wrong("leads to " + Examination::named(id) + ", where no record is");
    if (segment->has_key[record.slot]) return wrong("leads to " + Examination::named(id) + ", as another key does");
    segment->has_key[record.slot] = true;
    segment->key_print[record.slot] = crc32c(key);
}

void TableExaminer::read_rows() {
    reader_.walk(
        rows,
        [&](std::string_view key, std::string_view row) {
            if (++rows_read_ % rows_between_checks == 0) all_.call->check(0.2);
            read_row(key, row);
        },
        [&](const ValueDamage& damage) {
            const bool is_row = damage.key.size() == sizeof(std::uint64_t);
            row_damages_.push_back(
                {damage.offset, damage.what, is_row ? std::optional(row_id(damage.key)) : std::nullopt});
        });
}

void TableExaminer::read_row(std::string_view key, std::string_view row) {
    if (key.size() != sizeof(std::uint64_t)) {
        return add(DamageKind::rows, Loss::derived, 0, "a row stands under a key that is no id", "no record is lost");
    }
    const std::uint64_t id = row_id(key);
    const RecordId record = RecordId::unpack(id);
    if (all_.slots.find(record.segment) == all_.slots.end()) {
        if (all_.state.has_value()) ++strange_rows_;
        return;
    }
    SegmentSlots* const segment = all_.live_slots(record);
    if (segment == nullptr) return;  // of a record that was replaced or erased since
    if (!all_.schema.known()) {
        segment->has_row[record.slot] = true;
        return;
    }
    const std::optional<std::string> own_key = all_.schema.key_of(row);
    if (!own_key.has_value()) {
        row_damages_.push_back({0, "the row of " + Examination::named(id) + " is no row of this schema", id});
        return;
    }
    segment->has_row[record.slot] = true;
    if (segment->has_key[record.slot] && segment->key_print[record.slot] != crc32c(*own_key)) {
        add(DamageKind::keys, Loss::derived, 0,
            "another key than " + all_.schema.shown(*own_key) + " leads to " + Examination::named(id) +
                ", which has that one",
            "the rows hold their keys, from which it is made again");
    }
}

/// Rows that no way leads to may still stand on pages of older transactions or behind a damaged page.
void TableExaminer::look_for_lost_rows() {
    for (const auto& [segment_id, segment] : all_.slots) {
        for (Slot slot = 0; slot < segment.state.count; ++slot) {
            if (segment.live(slot) && !segment.has_row[slot])
                all_.lost_rows.insert(RecordId{segment_id, slot}.packed());
        }
    }
    if (all_.lost_rows.empty()) return;
    reader_.salvage(rows, [&](std::string_view key, std::string_view row) {
        if (key.size() != sizeof(std::uint64_t)) return;
        const auto lost = all_.lost_rows.find(row_id(key));
        if (lost == all_.lost_rows.end()) return;
        const RecordId id = RecordId::unpack(*lost);
        const std::optional<std::string> own_key = all_.schema.key_of(row);
        const SegmentSlots& segment = all_.slots.at(id.segment);
        if (!own_key.has_value()) return;
        if (segment.has_key[id.slot] && segment.key_print[id.slot] != crc32c(*own_key)) return;
        all_.found_rows.insert(*lost);
        all_.lost_rows.erase(lost);
    });
}

std::string TableExaminer::names_of_lost(const std::set<std::uint64_t>& ids) {
    constexpr std::size_t most_names = 100;
    std::vector<std::string> names;
    std::uint64_t named = 0;
    reader_.begin();
    reader_.walk(
        keys,
        [&](std::string_view key, std::string_view value) {
            std::uint64_t id = 0;
            if (!ByteReader(value).u64(id) || ids.find(id) == ids.end()) return;
            ++named;
            if (names.size() < most_names) names.push_back(all_.schema.shown(key));
        },
        [](const ValueDamage&) {});
    std::string text;
    for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
    if (named > names.size()) text.append(" and ").append(std::to_string(named - names.size())).append(" more");
    if (named < ids.size()) {
        text.append(text.empty() ? "" : " and ")
            .append(std::to_string(ids.size() - named))
            .append(" whose key is lost");
    }
    return text;
}

void TableExaminer::report_rows() {
    const std::string found_again = "no record is lost; what it held is still in the file";
    if (row_damages_.empty()) {
        for (const std::uint64_t id : all_.lost_rows) {
            add(DamageKind::rows, Loss::records, 0, "the row of " + Examination::named(id) + " is missing",
                "lost: the record " + names_of_lost({id}));
            if (all_.report.not_listed > 0) break;
        }
        for (const std::uint64_t id : all_.found_rows) {
            add(DamageKind::rows, Loss::derived, 0, "no way leads to the row of " + Examination::named(id),
                found_again);
        }
        return;
    }
    std::set<std::uint64_t> unnamed = all_.lost_rows;  // lost, and not named by a damaged value of their own
    for (const RowDamage& damage : row_damages_) {
        if (damage.id.has_value()) unnamed.erase(*damage.id);
    }
    const std::string names = unnamed.empty() ? std::string() : names_of_lost(unnamed);
    for (const RowDamage& damage : row_damages_) {
        if (!damage.id.has_value()) {
            add(DamageKind::rows, unnamed.empty() ? Loss::derived : Loss::records, damage.offset, damage.what,
                unnamed.empty() ? found_again : "lost: the records " + names);
        } else if (all_.lost_rows.find(*damage.id) != all_.lost_rows.end()) {
            add(DamageKind::rows, Loss::records, damage.offset, damage.what,
                "lost: the record " + names_of_lost({*damage.id}));
        } else {
            const bool live = all_.live_slots(RecordId::unpack(*damage.id)) != nullptr;
            add(DamageKind::rows, Loss::derived, damage.offset, damage.what,
                live ? found_again : "no record is lost; it was of one that is erased");
        }
    }
}

/// Live records that no key leads to; where the table of keys is damaged that was said already.
void TableExaminer::report_keyless() {
    if (!keys_whole_ || all_.has(DamageKind::keys)) return;
    for (const auto& [segment_id, segment] : all_.slots) {
        for (Slot slot = 0; slot < segment.state.count; ++slot) {
            if (!segment.live(slot) || segment.has_key[slot]) continue;
            add(DamageKind::keys, Loss::derived, 0,
                "no key leads to " + Examination::named(RecordId{segment_id, slot}.packed()),
                "its row holds the key, from which it is made again");
        }
    }
}

}  // namespace

void examine_tables(Examination& all) {
    const std::filesystem::path file = all.path / forward_folder / forward_file;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        all.damage(DamageKind::missing_file, Loss::records, file, 0, "the file is missing",
                   "the fields of all records of the last checkpoint are lost");
        return;
    }
    all.guard(DamageKind::forward, Loss::records, file, "it cannot be read to its end", [&] {
        ForwardReader reader(all.path, [&](std::uint64_t offset, const std::string& what) {
            all.damage(DamageKind::forward, Loss::derived, file, offset, what,
                       "its tables were found all the same; repair writes the file anew");
        });
        all.count_file(reader.bytes());
        all.transaction = reader.transaction();
        TableExaminer(all, reader).run();
    });
}

}  // namespace kith::inline v0::detail
