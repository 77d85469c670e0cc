// src/collection/directory_store.hpp — a collection's directory: log, environment and sealed segments together.
//
// Thread safety: as DurableStore.
#pragma once

#include "kith/collection/durable_store.hpp"
#include "kith/collection/state_record.hpp"
#include "kith/storage/environment.hpp"
#include "kith/storage/identity.hpp"
#include "kith/storage/lock.hpp"
#include "kith/storage/log_writer.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// Makes a new collection that appears at `path`, which is absolute, complete or not at all.
/// Throws: not_found (the folder around it), already_exists, disk_full, io.
void create_directory_store(const std::filesystem::path& path, const EngineSchema& schema);

class DirectoryStore final : public DurableStore {
public:
    /// Opens what create_directory_store made. Throws: as open_durable_store.
    DirectoryStore(const std::filesystem::path& path, OpenMode mode, const EngineSchema& schema);

    [[nodiscard]] std::shared_ptr<const Snapshot> checkpointed() const { return checkpointed_; }
    [[nodiscard]] std::uint32_t next_segment() const noexcept { return state_.next_segment; }

    RecoveryReport replay(const std::function<void(std::string_view batch)>& apply) override;
    void append(std::string_view batch) override;
    void sync() override;
    [[nodiscard]] std::uint64_t log_bytes() const override;
    [[nodiscard]] std::optional<RecordId> find(std::string_view key) const override;
    [[nodiscard]] std::string row(RecordId id) const override;
    std::shared_ptr<const Snapshot> seal(const Snapshot& snapshot, const KeyMap& keys,
                                         std::uint32_t next_segment) override;

private:
    [[nodiscard]] bool writable() const noexcept { return mode_ != OpenMode::read_only; }
    [[nodiscard]] std::filesystem::path segment_path(std::uint32_t id) const;

    [[nodiscard]] StateRecord read_state() const;
    [[nodiscard]] std::vector<std::string> remove_orphans() const;
    [[nodiscard]] std::shared_ptr<Segment> map_segment(std::uint32_t id, Slot count) const;
    void write_segment(const Segment& segment) const;
    void commit(const Snapshot& snapshot, const KeyMap& keys, const StateRecord& state);

    std::filesystem::path path_;
    OpenMode mode_;
    EngineSchema schema_;
    Identity identity_;
    DirectoryLock lock_;
    Environment environment_;
    StateRecord state_;                             // the last checkpoint's; changes in seal only
    std::vector<std::string> removed_;              // orphans that opening removed
    std::shared_ptr<const Snapshot> checkpointed_;  // the last checkpoint as it was opened
    std::optional<LogWriter> log_;                  // from replay() on, when writable
    std::uint64_t passed_log_bytes_ = 0;            // of log_->bytes(), what the last checkpoint of this run holds
};

}  // namespace kith::inline v0::detail
