// src/collection/repair_tables.cpp — what the checkpoint held, and its rows, keys and state record written anew.
#include "collection/layout.hpp"
#include "collection/repair.hpp"
#include "kith/collection/key_table.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/log_format.hpp"

#include <algorithm>
#include <charconv>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 25;  // of rows in one transaction

const DamageSink ignore = [](std::uint64_t, const std::string&) {};
const ValueDamageSink ignore_values = [](const ValueDamage&) {};

/// Calls `act(reader)` when data.mdb can be opened at all; an error while it is read ends the reading, not the repair.
template <class Act>
void read_forward(const std::filesystem::path& collection, Act&& act) {
    std::error_code error;
    if (!std::filesystem::exists(collection / forward_folder / forward_file, error)) return;
    const std::exception_ptr failed = attempt([&] {
        ForwardReader reader(collection, ignore);
        reader.begin();
        act(reader);
    });
    const std::optional<Error> trouble = as_error(failed);
    if (failed != nullptr && (!trouble.has_value() || trouble->code() != Errc::io)) std::rethrow_exception(failed);
}

}  // namespace

void Repair::settle_state() {
    if (found_.state.has_value()) {
        state_ = *found_.state;
        for (const SegmentState& state : state_.segments) {
            RepairedSegment segment;
            segment.count = state.count;
            segment.live.assign(state.count, false);
            segment.kept.assign(state.count, false);
            for (Slot slot = 0; slot < state.count; ++slot) segment.live[slot] = found_.slots.at(state.id).live(slot);
            segments_.emplace(state.id, std::move(segment));
        }
    } else {
        state_from_tables();
    }
    state_.collection = identity_.id;
    state_.fingerprint = identity_.fingerprint;
    state_.segments.clear();
}

/// Keys lead to live records and to nothing else, so they say all that the state record and the delete bitmaps do.
void Repair::state_from_tables() {
    examined_segments_ = false;
    std::set<std::uint64_t> live = ids_from_keys();
    const bool from_keys = !live.empty() && !found_.has(DamageKind::keys);
    if (!from_keys) {
        live = ids_from_rows();
        report_.uncertain.push_back(
            "which records lived: the state record and keys are damaged, so of several rows of a key the one in the "
            "newest place was kept, and records that were erased may be back");
    }
    for (const std::uint64_t packed : live) {
        const RecordId id = RecordId::unpack(packed);
        RepairedSegment& segment = segments_[id.segment];
        if (segment.live.size() <= id.slot) segment.live.resize(std::size_t{id.slot} + 1);
        segment.live[id.slot] = true;
    }
    for (auto& [id, segment] : segments_) {
        segment.count = count_in(id, static_cast<Slot>(segment.live.size()));
        segment.live.resize(segment.count);
        segment.kept.assign(segment.count, false);
    }
    state_.next_segment = first_unused_segment();
    std::vector<LogFile> files;
    static_cast<void>(attempt([&] { files = list_log_files(path_ / log_folder); }));
    state_.applied_sequence = files.empty() ? 0 : files.front().first_sequence - 1;
    report_.done.push_back(std::string("told from the ") + (from_keys ? "keys" : "rows") +
                           " what the state record and the delete bitmaps said; the whole log is applied again");
}

std::set<std::uint64_t> Repair::ids_from_keys() {
    std::set<std::uint64_t> ids;
    read_forward(path_, [&](ForwardReader& reader) {
        reader.walk(
            keys,
            [&](std::string_view key, std::string_view value) {
                std::uint64_t id = 0;
                if (!ByteReader(value).u64(id)) return;
                ids.insert(id);
                key_prints_[id] = crc32c(key);
            },
            ignore_values);
    });
    return ids;
}

std::set<std::uint64_t> Repair::ids_from_rows() {
    std::map<std::string, std::uint64_t> newest;
    read_forward(path_, [&](ForwardReader& reader) {
        const auto note = [&](std::string_view id_bytes, std::string_view row) {
            const std::optional<std::string> key = found_.schema.key_of(row);
            if (!key.has_value() || id_bytes.size() != sizeof(std::uint64_t)) return;
            std::uint64_t& id = newest.try_emplace(*key, row_id(id_bytes)).first->second;
            id = std::max(id, row_id(id_bytes));
        };
        reader.walk(rows, note, ignore_values);
        if (!reader.has(rows)) reader.salvage(rows, note);
    });
    std::set<std::uint64_t> ids;
    for (const auto& [key, id] : newest) ids.insert(id);
    return ids;
}

/// The slots of a segment: its files say how many, else those that are known.
Slot Repair::count_in(std::uint32_t segment, Slot least) const {
    Slot count = least;
    for (std::size_t field = 0; field < found_.schema.vectors().size(); ++field) {
        const Place name =
            Place(segments_folder) / segment_name(segment) / part_name(found_.schema.vectors()[field].name, Part::rows);
        static_cast<void>(attempt([&] {
            const SegmentFile file(path_ / name, part_tag(identity_, segment, field, Part::rows));
            file.verify(0, std::min<std::size_t>(file.payload().size(), StoredVectors::header_bytes));
            const std::optional<StoredVectors> vectors =
                StoredVectors::read({reinterpret_cast<const char*>(file.payload().data()), file.payload().size()});
            if (vectors.has_value()) count = std::max(count, vectors->count);
        }));
    }
    return count;
}

std::uint32_t Repair::first_unused_segment() const {
    std::uint32_t next = segments_.empty() ? 0 : segments_.rbegin()->first + 1;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(path_ / segments_folder, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().stem().string();
        std::uint32_t id = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
        if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) next = std::max(next, id + 1);
    }
    return next;
}

void Repair::write_tables() {
    environment_.emplace(aside_->path() / forward_folder, EnvironmentMode::create);
    read_forward(path_, [&](ForwardReader& reader) {
        const auto take = [&](std::string_view id, std::string_view row) {
            if (id.size() == sizeof(std::uint64_t)) take_row(row_id(id), row);
        };
        reader.walk(rows, take, ignore_values);
        // Beside those that a way leads to, those that were found without one.
        const auto take_found = [&](std::string_view id, std::string_view row) {
            if (id.size() != sizeof(std::uint64_t)) return;
            const bool look = !found_.state.has_value() || found_.found_rows.count(row_id(id)) > 0;
            if (look && key_fits(row_id(id), row)) take_row(row_id(id), row);
        };
        if (!found_.state.has_value() || !found_.found_rows.empty()) reader.salvage(rows, take_found);
    });
    flush_rows();
}

/// Whether a row, which may be of an older transaction, has the key that leads to its id, where that is known.
bool Repair::key_fits(std::uint64_t packed, std::string_view row) const {
    const std::optional<std::string> key = found_.schema.key_of(row);
    if (!key.has_value()) return false;
    const RecordId id = RecordId::unpack(packed);
    const auto examined = found_.slots.find(id.segment);
    if (examined != found_.slots.end() && id.slot < examined->second.has_key.size()) {
        return !examined->second.has_key[id.slot] || examined->second.key_print[id.slot] == crc32c(*key);
    }
    const auto print = key_prints_.find(packed);
    return print == key_prints_.end() || print->second == crc32c(*key);
}

void Repair::take_row(std::uint64_t packed, std::string_view row) {
    const RecordId id = RecordId::unpack(packed);
    const auto found = segments_.find(id.segment);
    if (found == segments_.end()) return;
    RepairedSegment& segment = found->second;
    if (id.slot >= segment.count || !segment.live[id.slot] || segment.kept[id.slot]) return;
    const std::optional<std::string> key = found_.schema.key_of(row);
    if (!key.has_value()) return;
    if (!segment.has_vectors(id.slot)) {
        vectorless_[packed] = *key;
        return;
    }
    segment.kept[id.slot] = true;
    if (segment.keys_file.empty()) segment.keys.emplace_back(*key, id.slot);
    waiting_bytes_ += row.size() + key->size();
    rows_.emplace_back(packed, row);
    keys_.emplace_back(*key, packed);
    if (waiting_bytes_ >= piece_bytes) flush_rows();
}

void Repair::flush_rows() {
    call_.check(0.6);
    environment_->write([&](WriteTransaction& transaction) {
        for (const auto& [id, row] : rows_) transaction.put_row(id, row);
        for (const auto& [key, id] : keys_) transaction.put_key(key, id);
    });
    rows_.clear();
    keys_.clear();
    waiting_bytes_ = 0;
}

/// Names what the checkpoint held and the repaired collection does not.
void Repair::name_lost() {
    std::set<std::uint64_t> lost;
    for (const auto& [id, segment] : segments_) {
        for (Slot slot = 0; slot < segment.count; ++slot) {
            if (segment.live[slot] && !segment.kept[slot]) lost.insert(RecordId{id, slot}.packed());
        }
    }
    std::map<std::uint64_t, std::string> names;
    for (const auto& [id, key] : vectorless_) names[id] = key;
    const auto note = [&](std::uint64_t id, std::string_view key) {
        if (lost.count(id) > 0) names.try_emplace(id, key);
    };
    if (names.size() < lost.size()) {
        read_forward(path_, [&](ForwardReader& reader) {
            const auto read = [&](std::string_view key, std::string_view value) {
                std::uint64_t id = 0;
                if (ByteReader(value).u64(id)) note(id, key);
            };
            reader.walk(keys, read, ignore_values);
        });
    }
    if (names.size() < lost.size()) {
        for (const auto& each : segments_) {
            if (each.second.keys_file.empty()) continue;
            static_cast<void>(attempt([&] {
                const SegmentFile file(each.second.keys_file, keys_tag(identity_, each.first));
                const KeyTable table(file.payload());
                for (Slot at = 0; at < table.size(); ++at) {
                    note(RecordId{each.first, table.slot(at)}.packed(), table.key(at));
                }
            }));
        }
    }
    for (const std::uint64_t id : lost) {
        const auto name = names.find(id);
        report_.lost_records.push_back(
            {name == names.end() ? Examination::named(id) : found_.schema.shown(name->second),
             vectorless_.count(id) > 0 ? "its vector is lost" : "its row is lost"});
    }
}

void Repair::write_state() {
    std::uint64_t records = 0;
    for (const auto& [id, segment] : segments_) {
        SegmentState state{id, segment.count, 0, std::vector<std::uint64_t>((std::size_t{segment.count} + 63) / 64)};
        for (Slot slot = 0; slot < segment.count; ++slot) {
            if (segment.kept[slot]) continue;
            state.delete_words[slot / 64] |= std::uint64_t{1} << (slot % 64);
            ++state.deleted;
        }
        records += segment.count - state.deleted;
        if (state.deleted < segment.count) state_.segments.push_back(std::move(state));
    }
    environment_->write(
        [&](WriteTransaction& transaction) { transaction.put_state(state_name, encode_state(state_)); });
    report_.done.push_back("wrote the rows and keys of " + std::to_string(records) + " records and the state record");
}

}  // namespace kith::inline v0::detail
