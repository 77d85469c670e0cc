// kith/collection/sealed_scalars.hpp — indexes and columns of a sealed segment, mapped.
//
// Bytes are checked when they are first asked something: those of the index or the column that is asked, and no others.
//
// Thread safety: any number of threads may ask; the bytes must outlive it.
#pragma once

#include "kith/collection/scalar_field.hpp"
#include "kith/core/assert.hpp"
#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"
#include "kith/query/scalar.hpp"
#include "kith/scalar/column_file.hpp"
#include "kith/scalar/column_scan.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/scalar_index.hpp"
#include "kith/schema/field.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// What is stored of the scalar fields of a segment: an image a field that is indexed, none for the others; and all
/// fields as columns.
template <class Bytes>
struct ScalarImages {
    std::vector<Bytes> indexes;  // by the place of the field in the record
    Bytes columns;
};

/// Raise Errc::corrupt or Errc::io where bytes are not as they were written; cheap when asked again. Null: they are.
struct ScalarChecks {
    std::function<void(std::size_t field)> index;
    std::function<void(const ColumnFile& file, const StoredColumn& column)> column;
};

/// One field of a sealed segment.
class SealedScalarField final : public ScalarField {
public:
    using Check = std::function<void()>;

    /// Either may be missing; its check, which may be null, is called until it raises nothing, before it is asked.
    /// Requires: the column lives as long as this.
    SealedScalarField(std::optional<ScalarIndex> index, Check check_index, const StoredColumn* column,
                      Check check_column) noexcept
        : index_(std::move(index)),
          column_(column),
          check_index_(std::move(check_index)),
          check_column_(std::move(check_column)) {}

    [[nodiscard]] bool indexed() const noexcept override { return index_.has_value(); }
    [[nodiscard]] bool has_column() const noexcept override { return column_ != nullptr; }

    [[nodiscard]] SlotEstimate estimate(const ScalarQuestion& question, [[maybe_unused]] Slot count) const override {
        KITH_ASSERT(count == index_->slots());
        return index().estimate(question);
    }
    void answer(const ScalarQuestion& question, [[maybe_unused]] Slot count,
                std::span<std::uint64_t> words) const override {
        KITH_ASSERT(count == index_->slots());
        index().answer(question, words);
    }
    [[nodiscard]] double answer_nanoseconds(const ScalarQuestion& question, const SlotEstimate& estimate,
                                            Slot) const override {
        return index().nanoseconds(question, estimate);
    }
    [[nodiscard]] std::unique_ptr<SlotTest> test(const ScalarQuestion& question,
                                                 [[maybe_unused]] Slot count) const override {
        KITH_ASSERT(count == column_->slots());
        return std::make_unique<Test>(column(), question);
    }
    [[nodiscard]] Scalar value(Slot slot, [[maybe_unused]] bool length) const override {
        const StoredColumn& column = this->column();
        if (column.null(slot)) return {};
        const StoredColumn::Values values = column.values_of(slot);
        KITH_ASSERT(length == column.list());
        if (length) return Scalar::of_unsigned(values.end - values.first);
        if (column.kind() == FieldKind::json) return Scalar::of_json(column.text_of(values.first));
        if (column.kind() == FieldKind::text) return Scalar::of_text(column.text_of(values.first));
        return scalar_of_number(column.kind(), column.number(values.first));
    }
    [[nodiscard]] double test_nanoseconds(double bits, Slot) const noexcept override {
        return ColumnScan::nanoseconds(*column_, bits);
    }

    /// Reads the index whole. Throws: Errc::corrupt, with what is wrong.
    void check() const {
        if (index_) index().check();
    }

private:
    class Test final : public SlotTest {
    public:
        Test(const StoredColumn& column, const ScalarQuestion& question) : scan_(column, question) {}

        void keep(bool wanted, std::span<std::uint64_t> words) override { scan_.keep(wanted, words); }
        [[nodiscard]] bool holds(Slot slot, bool wanted) const override {
            return wanted ? scan_.satisfies(slot) : scan_.excludes(slot);
        }

    private:
        ColumnScan scan_;
    };

    /// Throws: what its check raises.
    [[nodiscard]] const ScalarIndex& index() const {
        once(check_index_, index_is_right_);
        return *index_;
    }
    [[nodiscard]] const StoredColumn& column() const {
        once(check_column_, column_is_right_);
        return *column_;
    }

    static void once(const Check& check, std::atomic<bool>& done) {
        if (done.load(std::memory_order_acquire)) return;
        if (check) check();
        done.store(true, std::memory_order_release);
    }

    std::optional<ScalarIndex> index_;
    const StoredColumn* column_;
    Check check_index_;
    Check check_column_;
    mutable std::atomic<bool> index_is_right_ = false;  // its check raised nothing
    mutable std::atomic<bool> column_is_right_ = false;
};

class SealedScalars final : public ScalarFields {
public:
    /// Of these fields, which are those of a schema in their order; a field whose image is empty has no index.
    /// Throws: Errc::corrupt when an image is not whole, or of other fields or another number of slots.
    SealedScalars(std::span<const FieldInfo> fields, const ScalarImages<std::string_view>& images, Slot slots,
                  const ScalarChecks& checks = {})
        : columns_(images.columns, slots) {
        for (std::size_t at = 0; at < fields.size(); ++at) {
            if (!has_terms(fields[at].kind)) {
                readable_.push_back(nullptr);
                continue;
            }
            const StoredColumn* const column = columns_.find(static_cast<std::uint32_t>(at));
            if (column != nullptr && (column->kind() != fields[at].kind || column->list() != fields[at].list)) {
                raise(Errc::corrupt, "field '" + std::string(fields[at].name) + "' has a column of another kind");
            }
            std::optional<ScalarIndex> index;
            if (at < images.indexes.size() && !images.indexes[at].empty()) {
                index.emplace(images.indexes[at], fields[at].kind, fields[at].list, slots);
            }
            const ColumnNote note = columns_.note(static_cast<std::uint32_t>(at));
            complete_ = complete_ && (column != nullptr || note.left_out) &&
                        (note.index == IndexNote::left_out || has_all_that_is_asked(index, fields[at]));
            SealedScalarField::Check check_index;
            SealedScalarField::Check check_column;
            if (checks.index) check_index = [check = checks.index, at] { check(at); };
            if (checks.column && column != nullptr) {
                check_column = [this, check = checks.column, column] { check(columns_, *column); };
            }
            fields_.push_back(std::make_unique<SealedScalarField>(std::move(index), std::move(check_index), column,
                                                                  std::move(check_column)));
            readable_.push_back(fields_.back().get());
        }
    }

    SealedScalars(const SealedScalars&) = delete;
    SealedScalars& operator=(const SealedScalars&) = delete;

    [[nodiscard]] std::span<const ScalarField* const> fields() const noexcept override { return readable_; }

    /// Whether there is every column, and every index with all that the schema asks of it, but for what was left out.
    [[nodiscard]] bool complete() const noexcept { return complete_; }

    /// Reads everything. Throws: Errc::corrupt, with what is wrong.
    void check() const {
        for (const auto& field : fields_) field->check();
        columns_.check();
    }

private:
    static bool has_all_that_is_asked(const std::optional<ScalarIndex>& index, const FieldInfo& field) noexcept {
        if (!index) return !field.indexed;
        return (!field.suffixes || index->by_suffix()) && (!field.substrings || index->by_substring());
    }

    ColumnFile columns_;
    bool complete_ = true;
    std::vector<std::unique_ptr<SealedScalarField>> fields_;
    std::vector<const ScalarField*> readable_;  // all fields, with null between
};

}  // namespace kith::inline v0::detail
