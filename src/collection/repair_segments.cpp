// src/collection/repair_segments.cpp — which files of segments are sound, which are made again, and which vectors are
// lost.
#include "collection/layout.hpp"
#include "collection/repair.hpp"
#include "kith/collection/key_table.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/segment_file.hpp"

#include <algorithm>
#include <string_view>

namespace kith::inline v0::detail {

namespace {

std::filesystem::path folder_of(std::uint32_t segment) {
    return std::filesystem::path(segments_folder) / segment_name(segment);
}

bool holds_vectors(const SegmentFile& file, Slot count) {
    const std::span<const std::byte> payload = file.payload();
    const std::optional<StoredVectors> vectors =
        StoredVectors::read({reinterpret_cast<const char*>(payload.data()), payload.size()});
    return vectors.has_value() && vectors->count == count;
}

}  // namespace

bool RepairedSegment::has_vectors(Slot slot) const {
    for (std::size_t field = 0; field < salvaged.size(); ++field) {
        if (salvaged[field] != nullptr && !salvaged[field]->holds(slot)) return false;
    }
    return true;
}

/// The file of that name, of the collection or of a backup; empty when neither has a sound one.
Repair::Place Repair::sound_file(const Place& name, const SegmentFileTag& tag, bool is_rows, Slot count) {
    const auto is_sound = [&](const Place& file) {
        return attempt([&] {
                   const SegmentFile opened(file, tag);
                   opened.verify();
                   if (is_rows && !holds_vectors(opened, count)) raise(Errc::corrupt, "of another number of vectors");
               }) == nullptr;
    };
    const Place own = path_ / name;
    std::error_code error;
    const std::vector<Damage>& damages = found_.report.damages;
    const bool known_wrong =
        std::any_of(damages.begin(), damages.end(), [&](const Damage& damage) { return damage.file == own.string(); });
    if (!known_wrong && std::filesystem::exists(own, error) && (examined_segments_ || is_sound(own))) return own;
    if (options_.backup.empty() || !is_sound(options_.backup / name)) return {};
    report_.done.push_back("took " + name.string() + " from " + options_.backup.string());
    return options_.backup / name;
}

void Repair::settle_segments() {
    for (auto& [id, segment] : segments_) {
        call_.check(0.5);
        for (std::size_t field = 0; field < found_.schema.vectors().size(); ++field) settle_field(id, field, segment);
        segment.keys_file = sound_file(folder_of(id) / keys_name, keys_tag(identity_, id), false, segment.count);
        settle_scalars(id, segment);
    }
}

void Repair::settle_field(std::uint32_t id, std::size_t field, RepairedSegment& segment) {
    const StoredVectorField& type = found_.schema.vectors()[field];
    const Place rows = folder_of(id) / part_name(type.name, Part::rows);
    const SegmentFileTag rows_tag = part_tag(identity_, id, field, Part::rows);
    segment.rows_file.push_back(sound_file(rows, rows_tag, true, segment.count));
    segment.salvaged.push_back(nullptr);
    bool vectors_are_whole = true;
    if (segment.rows_file.back().empty()) {
        auto salvaged = std::make_unique<SalvagedVectors>(path_ / rows, rows_tag, type, segment.count);
        Slot lost = 0;
        for (Slot slot = 0; slot < segment.count; ++slot) lost += salvaged->holds(slot) ? 0U : 1U;
        vectors_are_whole = lost == 0;
        report_.done.push_back("read " + std::to_string(segment.count - lost) + " of " + std::to_string(segment.count) +
                               " vectors from " + (path_ / rows).string());
        if (!salvaged->proved() && lost < segment.count) {
            report_.uncertain.push_back("the " + std::to_string(segment.count - lost) + " vectors kept from " +
                                        (path_ / rows).string() + ": their checksums were cut off with its end");
        }
        segment.salvaged.back() = std::move(salvaged);
    }
    // A graph is of its vectors: where some are lost it is built again.
    const Place graph = folder_of(id) / part_name(type.name, Part::graph);
    segment.graph_file.push_back(
        vectors_are_whole ? sound_file(graph, part_tag(identity_, id, field, Part::graph), false, segment.count)
                          : Place());
}

void Repair::settle_scalars(std::uint32_t id, RepairedSegment& segment) {
    const auto settle = [&](const std::string& name, const SegmentFileTag& tag) {
        segment.scalar_names.push_back(name);
        segment.scalar_file.push_back(sound_file(folder_of(id) / name, tag, false, segment.count));
    };
    settle(std::string(columns_name), columns_tag(identity_, id));
    for (const StoredScalarField& field : found_.schema.scalars()) {
        const std::string name = index_name(field.name);
        std::error_code error;
        if (std::filesystem::exists(path_ / folder_of(id) / name, error)) {
            settle(name, index_tag(identity_, id, field.place));
        }
    }
}

void Repair::write_segments() {
    for (auto& [id, segment] : segments_) {
        call_.check(0.7);
        if (std::find(segment.kept.begin(), segment.kept.end(), true) != segment.kept.end()) write_segment(id, segment);
    }
}

void Repair::write_segment(std::uint32_t id, RepairedSegment& segment) {
    make_directory(aside_->path() / folder_of(id));
    for (std::size_t field = 0; field < found_.schema.vectors().size(); ++field) {
        const std::string& type = found_.schema.vectors()[field].name;
        const Place rows = folder_of(id) / part_name(type, Part::rows);
        const Place graph = folder_of(id) / part_name(type, Part::graph);
        if (!segment.rows_file[field].empty()) {
            put_file(segment.rows_file[field], rows);
        } else {
            write_segment_file(aside_->path() / rows, part_tag(identity_, id, field, Part::rows),
                               [&](const ByteSink& sink) { segment.salvaged[field]->write(sink); });
        }
        if (!segment.graph_file[field].empty()) {
            put_file(segment.graph_file[field], graph);
        } else {
            report_.done.push_back("left out " + graph.string() + ", which a merge makes again");
        }
    }
    for (std::size_t at = 0; at < segment.scalar_names.size(); ++at) {
        const Place name = folder_of(id) / segment.scalar_names[at];
        if (segment.scalar_file[at].empty()) {
            report_.done.push_back("left out " + name.string() + ", which a merge makes again");
        } else {
            put_file(segment.scalar_file[at], name);
        }
    }
    if (segment.keys_file.empty()) {
        write_keys(id, segment);
    } else {
        put_file(segment.keys_file, folder_of(id) / keys_name);
    }
}

void Repair::write_keys(std::uint32_t id, RepairedSegment& segment) {
    std::sort(segment.keys.begin(), segment.keys.end());
    std::vector<KeySlot> keys;
    keys.reserve(segment.keys.size());
    for (const auto& [key, slot] : segment.keys) keys.push_back({key, slot});
    const Place name = folder_of(id) / keys_name;
    write_segment_file(aside_->path() / name, keys_tag(identity_, id),
                       [&](const ByteSink& sink) { write_key_table(keys, sink); });
    report_.done.push_back("made " + name.string() + " again from the rows");
}

}  // namespace kith::inline v0::detail
