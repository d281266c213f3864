//! The JavaScript half, registered when the package is loaded.

use std::cell::RefCell;

use headwater::Error as CoreError;
use napi::bindgen_prelude::{
    FnArgs, FromNapiValue, Function, JsObjectValue, JsValuesTupleIntoVec, ObjectRef,
};
use napi::{Env, Error, Result, bindgen_prelude::Object};
use napi_derive::napi;

thread_local! {
    // One Node environment per thread: the main one and each `worker_threads` worker.
    static FACE: RefCell<Option<ObjectRef<false>>> = const { RefCell::new(None) };
}

/// Keeps the functions that `index.js` provides.
#[napi(skip_typescript)]
pub fn register_face(face: Object<'_>) -> Result<()> {
    let face = face.create_ref()?;
    FACE.with_borrow_mut(|slot| *slot = Some(face));
    Ok(())
}

/// Calls one of them.
pub(crate) fn call<'e, A, R>(env: &'e Env, name: &str, args: A) -> Result<R>
where
    FnArgs<A>: JsValuesTupleIntoVec + From<A>,
    R: FromNapiValue,
{
    let face: Object<'e> = FACE.with_borrow(|slot| match slot {
        Some(face) => face.get_value(env),
        None => Err(Error::from_reason("load the package `headwater`, not its native module")),
    })?;
    let function: Function<'e, FnArgs<A>, R> = face.get_named_property(name)?;
    function.call(FnArgs::from(args))
}

/// What went wrong, as an `Error` of JavaScript with its stable `code`.
pub(crate) fn thrown(env: &Env, error: &CoreError) -> Error {
    let (column, row, option) = match error {
        CoreError::Column { column, .. } => (Some(column.as_str()), None, None),
        CoreError::Row { column, row, .. } | CoreError::Unfit { column, row, .. } => {
            (Some(column.as_str()), Some(*row as f64), None)
        }
        CoreError::Option { option, .. } => (None, None, Some(option.as_str())),
        _ => (None, None, None),
    };
    failure(env, error.code(), &error.to_string(), column, row, option)
}

/// A panic: a bug of ours, told as an error so that the process lives on.
pub(crate) fn panicked(env: &Env, message: &str) -> Error {
    let message = format!("internal error, please report it: {message}");
    failure(env, "HW_INTERNAL", &message, None, None, None)
}

fn failure(
    env: &Env,
    code: &str,
    message: &str,
    column: Option<&str>,
    row: Option<f64>,
    option: Option<&str>,
) -> Error {
    use napi::bindgen_prelude::Unknown;
    match call::<_, Unknown<'_>>(env, "error", (code, message, column, row, option)) {
        Ok(error) => Error::from(error),
        Err(error) => error,
    }
}
