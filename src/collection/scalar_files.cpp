// src/collection/scalar_files.cpp — passes over the rows of a segment, and what each of them makes.
#include "kith/collection/scalar_files.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/error.hpp"
#include "kith/scalar/column_builder.hpp"
#include "kith/scalar/row_terms.hpp"
#include "kith/scalar/scalar_index_builder.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t row_price = 256;  // bytes that a row counts for besides its own, between two looks at the memory

/// A column or an index that is to be made.
struct Job {
    std::size_t field = 0;
    std::size_t column = 0;  // of the field
    bool index = false;
    bool as_it_comes = false;  // too large to be held: of a column
};

/// A job in a pass.
class Work {
public:
    Work(const Job& job, const FieldInfo& field, const ColumnInfo& column) : job_(job) {
        if (job.index) {
            index_.emplace(field.kind, field.list, ScalarIndexParams{field.suffixes, field.substrings});
        } else {
            column_.emplace(column);
        }
    }

    /// A column whose values go to `file` as they come.
    Work(const Job& job, const ColumnInfo& column, ColumnFileWriter& file) : job_(job) {
        column_.emplace(column, file);
    }

    [[nodiscard]] const Job& job() const noexcept { return job_; }

    void append(const MemberTerms& member) {
        if (index_) index_->append(member);
        if (column_) column_->append(member);
    }

    [[nodiscard]] std::size_t bytes() const noexcept { return index_ ? index_->bytes() : column_->bytes(); }

    void finish(ColumnFileWriter& file, const WriteScalarFile& write) {
        if (column_) return column_->finish(file, job_.column);
        write(job_.field, [&](const ByteSink& sink) { index_->finish(sink); });
        file.note_index(job_.column, IndexNote::written);
    }

private:
    Job job_;
    std::optional<ColumnBuilder> column_;  // one of the two
    std::optional<ScalarIndexBuilder> index_;
};

class ScalarFiles {
public:
    ScalarFiles(const ScalarSource& source, std::size_t memory_bytes, const WriteScalarFile& write,
                const LongCall& call)
        : source_(source), memory_bytes_(memory_bytes), write_(write), call_(call), rows_(source.fields) {
        for (std::size_t field = 0; field < source.fields.size(); ++field) {
            const FieldInfo& info = source.fields[field];
            if (!has_terms(info.kind)) continue;
            left_.push_back({field, columns_.size(), false});
            if (info.indexed) left_.push_back({field, columns_.size(), true});
            columns_.push_back({static_cast<std::uint32_t>(field), info.kind, info.list});
        }
        nothing_.set_null();
    }

    void write() {
        write_(std::nullopt, [&](const ByteSink& sink) {
            ColumnFileWriter file(sink, columns_, source_.count);
            while (!left_.empty()) pass(file);
            file.finish();
        });
    }

private:
    /// Makes some of what is left.
    /// Ensures: less is left, or a column is known to be too large to be held.
    void pass(ColumnFileWriter& file) {
        begin(file);
        for (Slot slot = 0; slot < source_.count && !works_.empty(); ++slot) {
            if (unseen_ > memory_bytes_ / 16 || slot == 0) {
                call_.check(1);
                make_room();
                unseen_ = 0;
            }
            add(slot, file);
        }
        while (!works_.empty()) {
            Work work = std::move(works_.back());
            works_.pop_back();
            guard(work.job(), file, [&] { work.finish(file, write_); });
        }
    }

    void begin(ColumnFileWriter& file) {
        const auto large = std::find_if(left_.begin(), left_.end(), [](const Job& job) { return job.as_it_comes; });
        if (large != left_.end()) {
            works_.emplace_back(*large, columns_[large->column], file);
            left_.erase(large);
        } else {
            std::sort(left_.begin(), left_.end(), [](const Job& a, const Job& b) {
                return a.field != b.field ? a.field < b.field : a.index < b.index;
            });
            for (const Job& job : left_) works_.emplace_back(job, source_.fields[job.field], columns_[job.column]);
            left_.clear();
        }
        want_fields();
    }

    void want_fields() {
        std::vector<bool> wanted(source_.fields.size());
        for (const Work& work : works_) wanted[work.job().field] = true;
        rows_.want(wanted);
    }

    void add(Slot slot, ColumnFileWriter& file) {
        const std::string row = source_.row(slot);
        unseen_ += row.size() + row_price;
        std::size_t at = 0;
        const auto take = [&](std::size_t field, const MemberTerms& member) {
            while (at < works_.size() && works_[at].job().field == field) {
                Work& work = works_[at];
                if (guard(work.job(), file, [&] { work.append(member); })) {
                    ++at;
                } else {
                    works_.erase(works_.begin() + static_cast<std::ptrdiff_t>(at));
                }
            }
        };
        if (row.empty()) {
            for (Work& work : works_) work.append(nothing_);
        } else if (!rows_.read(row, take)) {
            raise(Errc::corrupt, "a row does not hold the fields of its schema");
        }
    }

    /// Puts off what takes up most, while all of it takes more than it may.
    void make_room() {
        std::size_t bytes = 0;
        for (const Work& work : works_) bytes += work.bytes();
        while (bytes > memory_bytes_) {
            const auto largest = std::max_element(works_.begin(), works_.end(),
                                                  [](const Work& a, const Work& b) { return a.bytes() < b.bytes(); });
            Job job = largest->job();
            if (works_.size() == 1) {
                if (job.index || job.as_it_comes) return;
                job.as_it_comes = true;
            }
            bytes -= largest->bytes();
            works_.erase(largest);
            left_.push_back(job);
            want_fields();
        }
    }

    /// Calls `act`; what is too large for its format is left out. Returns whether it is not.
    template <class Act>
    bool guard(const Job& job, ColumnFileWriter& file, const Act& act) {
        const std::exception_ptr failed = attempt(act);
        if (failed == nullptr) return true;
        const std::optional<Error> error = as_error(failed);
        if (!error.has_value() || error->code() != Errc::limit_exceeded) std::rethrow_exception(failed);
        if (job.index) file.note_index(job.column, IndexNote::left_out);
        return false;
    }

    const ScalarSource& source_;
    std::size_t memory_bytes_;
    const WriteScalarFile& write_;
    const LongCall& call_;
    RowTerms rows_;
    MemberTerms nothing_;
    std::vector<ColumnInfo> columns_;
    std::vector<Job> left_;    // to be made
    std::vector<Work> works_;  // of the present pass, by field
    std::size_t unseen_ = 0;   // about the bytes of rows since works were asked for their memory
};

}  // namespace

void write_scalar_files(const ScalarSource& source, std::size_t memory_bytes, const WriteScalarFile& write,
                        const LongCall& call) {
    KITH_ASSERT(memory_bytes > 0);
    ScalarFiles(source, memory_bytes, write, call).write();
}

}  // namespace kith::inline v0::detail
