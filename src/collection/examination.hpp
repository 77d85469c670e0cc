// src/collection/examination.hpp — one look at a whole collection: what verify() reports, and what repair() needs.
//
// Each part is examined by a function of its own, in an order where each finds what it needs of those before it.
//
// Thread safety: none; each call owns its own.
#pragma once

#include "collection/forward_reader.hpp"
#include "collection/stored_schema.hpp"
#include "kith/collection/record_id.hpp"
#include "kith/collection/state_record.hpp"
#include "kith/collection/verify.hpp"
#include "kith/storage/identity.hpp"
#include "storage/log_scan.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kith::inline v0::detail {

/// The slots of one segment that the checkpoint names.
struct SegmentSlots {
    SegmentState state;
    std::vector<bool> has_key;               // has_key[slot]: a key leads there
    std::vector<bool> has_row;               // has_row[slot]: it has a row
    std::vector<std::uint32_t> key_print{};  // key_print[slot]: checksum of that key

    [[nodiscard]] bool live(Slot slot) const noexcept {
        return slot < state.count && (state.deleted == 0 || ((state.delete_words[slot / 64] >> (slot % 64)) & 1) == 0);
    }
};

class Examination {
public:
    Examination(const std::filesystem::path& collection, const VerifyOptions& how, const LongCall& call);

    /// Looks at everything.
    void run();

    std::filesystem::path path;
    VerifyOptions options;
    const LongCall* call;
    VerifyReport report;
    bool beside_writer = false;
    std::optional<Identity> given_identity;  // to go on with where the stored one is damaged

    std::optional<Identity> identity;             // none when it is damaged
    StoredSchema schema;                          // from the identity
    std::optional<std::uint64_t> transaction;     // of the environment that was read
    std::optional<StateRecord> state;             // none when it is damaged or cannot be reached
    std::map<std::uint32_t, SegmentSlots> slots;  // by segment id, of those that `state` names
    std::set<std::uint64_t> lost_rows;            // packed ids of live records whose row is nowhere
    std::set<std::uint64_t> found_rows;           // packed ids of those whose row was found off the way
    LogScan log;                                  // empty when the identity is damaged

    [[nodiscard]] bool has(DamageKind kind) const;

    void damage(DamageKind kind, Loss loss, const std::filesystem::path& file, std::uint64_t offset, std::string what,
                std::string consequence);
    void remark(DamageKind kind, const std::filesystem::path& file, std::string what, std::string consequence);

    /// Calls `act`; an Error that it raises about a file becomes a damage. Those of the call's own end go on.
    /// Returns whether nothing was raised.
    bool guard(DamageKind kind, Loss loss, const std::filesystem::path& file, const std::string& consequence,
               const std::function<void()>& act);

    /// A file was looked at.
    void count_file(std::uint64_t bytes) {
        ++report.files;
        report.bytes += bytes;
    }

    /// "slot 3 of segment 2"
    [[nodiscard]] static std::string named(std::uint64_t id);

    /// Where `id` lies; null when the checkpoint has no such slot, or it is deleted.
    [[nodiscard]] SegmentSlots* live_slots(RecordId id);

private:
    void examine_identity();
};

/// Each examines what its name says.
void examine_tables(Examination& all);
void examine_segments(Examination& all);
void examine_log(Examination& all);
void examine_names(Examination& all);

/// The byte that the text of an Error names, as all of ours do about damage: "… damaged at byte 17: …".
[[nodiscard]] std::uint64_t offset_in(std::string_view text);

}  // namespace kith::inline v0::detail
