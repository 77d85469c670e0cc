// src/collection/repair.hpp — the course of a repair: from what an examination found to a new directory.
//
// First it is settled what the checkpoint held: the state record says it, or keys and rows do. Then which vectors are
// left, which rows, and so which records. Tables, segments and log are then written for these, and no other.
//
// Thread safety: none; each call owns its own.
#pragma once

#include "collection/aside_folder.hpp"
#include "collection/examination.hpp"
#include "collection/salvaged_vectors.hpp"
#include "kith/collection/repair.hpp"
#include "kith/storage/environment.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// A segment on its way into the repaired collection.
struct RepairedSegment {
    Slot count = 0;
    std::vector<bool> live;                        // live[slot]: the checkpoint holds a record there
    std::vector<bool> kept;                        // kept[slot]: and its row was written
    std::vector<std::filesystem::path> rows_file;  // of each vector field: a sound one; empty when it is salvaged
    std::vector<std::unique_ptr<SalvagedVectors>> salvaged;  // of each vector field that has none
    std::vector<std::pair<std::string, Slot>> keys;          // of kept slots, where the file of keys is damaged
    std::filesystem::path keys_file;                         // a sound one; empty when it is made again
    std::vector<std::filesystem::path> graph_file;           // of each vector field: a sound one, or empty
    std::vector<std::string> scalar_names;                   // of the files of columns and indexes there are
    std::vector<std::filesystem::path> scalar_file;          // for each of those a sound one, or empty

    /// Whether every vector of the record can be read.
    [[nodiscard]] bool has_vectors(Slot slot) const;
};

class Repair {
public:
    Repair(const std::filesystem::path& path, const RepairOptions& options, const LongCall& call, RepairReport& report);

    void run();

private:
    using Place = std::filesystem::path;

    [[nodiscard]] Identity recover_identity();

    // What the checkpoint held.
    void settle_state();
    void state_from_tables();
    [[nodiscard]] std::set<std::uint64_t> ids_from_keys();
    [[nodiscard]] std::set<std::uint64_t> ids_from_rows();
    [[nodiscard]] Slot count_in(std::uint32_t segment, Slot least) const;
    [[nodiscard]] std::uint32_t first_unused_segment() const;

    // Vectors.
    void settle_segments();
    void settle_scalars(std::uint32_t id, RepairedSegment& segment);
    void settle_field(std::uint32_t id, std::size_t field, RepairedSegment& segment);
    [[nodiscard]] Place sound_file(const Place& name, const SegmentFileTag& tag, bool is_rows, Slot count);
    void write_segments();
    void write_segment(std::uint32_t id, RepairedSegment& segment);
    void write_keys(std::uint32_t id, RepairedSegment& segment);

    // Rows, keys and the state record.
    void write_tables();
    [[nodiscard]] bool key_fits(std::uint64_t id, std::string_view row) const;
    void take_row(std::uint64_t id, std::string_view row);
    void flush_rows();
    void name_lost();
    void write_state();

    void write_log();
    void put_file(const Place& from, const Place& name);
    [[nodiscard]] Place forward() const;

    Place path_;
    const RepairOptions& options_;
    const LongCall& call_;
    LongCall looking_;  // the part of the call that looks at what there is
    RepairReport& report_;
    Examination found_;
    Identity identity_;
    StateRecord state_;  // without delete bitmaps until write_state()
    std::map<std::uint32_t, RepairedSegment> segments_;
    bool examined_segments_ = true;  // by found_; else each file is looked at when it is taken
    std::optional<AsideFolder> aside_;
    std::optional<Environment> environment_;                   // the repaired one
    std::vector<std::pair<std::uint64_t, std::string>> rows_;  // to be written
    std::vector<std::pair<std::string, std::uint64_t>> keys_;  // of these
    std::size_t waiting_bytes_ = 0;
    std::map<std::uint64_t, std::uint32_t> key_prints_;  // checksum of the key of each record, where keys told of them
    std::map<std::uint64_t, std::string> vectorless_;  // records whose row is there and whose vector is not: their keys
};

}  // namespace kith::inline v0::detail
